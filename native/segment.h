/**
 * Files of shared memory, mapped as SharedArrayBuffers. A process maps one file once per size and access mode, counts
 * the buffers over the mapping and unmaps with the last one.
 * Thread safety: any thread of any environment may map; V8 may drop a buffer on any thread, even while exit() runs.
 * If the process dies: a file that was not linked yet is gone, a linked one stays as it is.
 */
#pragma once
#include <napi.h>

Napi::Value CreateSegment(const Napi::CallbackInfo& info);
void LinkSegment(const Napi::CallbackInfo& info);
Napi::Value MapSegment(const Napi::CallbackInfo& info);
