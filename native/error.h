/**
 * errno → Error with `code`, `errno` and `syscall`; arguments → C++ values, or a TypeError or RangeError that tells
 * expected and got. All throw C++ exceptions, which node-addon-api turns into JavaScript's.
 *
 * While a thread is being ended its JavaScript goes on for a moment, in which neither calls of Node-API that might run
 * JavaScript (napi_coerce_*, properties) work nor exceptions: what is asked for would be left out without a word.
 * Arguments are taken by calls that always work.
 */
#pragma once
#include <napi.h>
#include <cerrno>
#include <cstdint>
#include <string>

constexpr double kMaxSafeInteger = 9007199254740991;

/** `error` is a positive errno. The message reads "ENOSPC: no space left on device, posix_fallocate". */
Napi::Error SystemError(Napi::Env env, int error, const char* syscall);

/** "words: expected an Int32Array, got Uint8Array" */
Napi::TypeError TypeMismatch(const Napi::CallbackInfo& info, size_t position, const char* name, const char* expected);

double IntegerArgument(const Napi::CallbackInfo& info, size_t position, const char* name, double min, double max);
/** false where there is none. */
bool BooleanArgument(const Napi::CallbackInfo& info, size_t position, const char* name);
int DescriptorArgument(const Napi::CallbackInfo& info, size_t position);
mode_t ModeArgument(const Napi::CallbackInfo& info, size_t position);
/** A Uint8Array's bytes, and how many. */
uint8_t* BytesArgument(const Napi::CallbackInfo& info, size_t position, const char* name, size_t* length);
std::string PathArgument(const Napi::CallbackInfo& info, size_t position, const char* name);
