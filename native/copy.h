/**
 * Copies between arrays of bytes, shared or not, as the C library does, which is faster than V8's way with shared
 * memory (docs/adr/0021). Whoever copies what others may be writing checks afterwards what it has got.
 */
#pragma once
#include <napi.h>

/** Arguments as native.ts documents them. */
void CopyBytes(const Napi::CallbackInfo& info);
