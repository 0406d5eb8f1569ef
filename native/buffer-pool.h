/**
 * Private memory for large results: ArrayBuffers whose pages this process keeps when V8 has collected them, for the
 * next ones. Pages fresh from the kernel cost several times what it takes to copy into them (docs/adr/0022). Thread
 * safety: any thread of any environment; V8 may drop a buffer on any thread.
 */
#pragma once
#include <napi.h>

Napi::Value TakeBuffer(const Napi::CallbackInfo& info);
