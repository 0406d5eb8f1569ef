/**
 * Copies between arrays of bytes, shared or not. V8 copies shared memory word by word, the C library in longer steps;
 * and past the caches is yet another way. Whoever copies what others may be writing checks afterwards what it has got.
 */
#pragma once
#include <napi.h>

void CopyBytes(const Napi::CallbackInfo& info);
