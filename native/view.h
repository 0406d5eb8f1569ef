/**
 * Views: ArrayBuffers over parts of a file of shared memory, without a copy. Each has a buffer of its own, so it ends
 * where the part does, and can be taken away from whoever still holds it. Writing to one reaches nobody: guard.h.
 * Thread safety: any thread of any environment; V8 may drop a buffer on any thread.
 */
#pragma once
#include <napi.h>

Napi::Value MapViews(const Napi::CallbackInfo& info);
Napi::Value OpenView(const Napi::CallbackInfo& info);
Napi::Value CloseView(const Napi::CallbackInfo& info);
void DetachBuffer(const Napi::CallbackInfo& info);
