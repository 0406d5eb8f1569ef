/** ArrayBuffers over memory that V8 has not allocated. */
#pragma once
#include <napi.h>

/** Called once nobody has the buffer any more, on any thread. */
using DropBytes = void (*)(void* bytes, size_t length, void* hint);

/** False: this Node is without the means; NewArrayBuffer() must not be called. */
bool HasArrayBuffers();
/** Takes over the bytes. */
Napi::Value NewArrayBuffer(Napi::Env env, void* bytes, size_t length, DropBytes drop, void* hint);
/**
 * Takes the memory from a buffer of ours, whoever has marked it as untransferable: from Node 24 on that gives it a key,
 * without which Node-API ends the process.
 */
void Detach(Napi::Env env, napi_value buffer);
