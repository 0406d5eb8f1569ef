/**
 * CRC32C (Castagnoli; RFC 3720, B.4), by the processor's instruction where it has one. A frame is a stretch of bytes
 * that starts with its CRC and its whole length, a u32 each, little-endian; the CRC covers all behind itself. One call
 * does a batch of frames: for short ones, crossing over from JavaScript costs more than the sum.
 */
#pragma once
#include <napi.h>

Napi::Value Crc32c(const Napi::CallbackInfo& info);
Napi::Value SealFrames(const Napi::CallbackInfo& info);
Napi::Value SoundFrames(const Napi::CallbackInfo& info);
