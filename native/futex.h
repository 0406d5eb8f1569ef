/**
 * Sleeping on a word of shared memory, and waking its sleepers. The futex is shared, not PRIVATE: it joins processes
 * by the word's page and offset, which V8's Atomics.wait does not. A sleeper that dies leaves nothing behind.
 */
#pragma once
#include <napi.h>

/** Blocks this thread, and with it its event loop: callers wait in short slices. */
Napi::Value FutexWait(const Napi::CallbackInfo& info);
Napi::Value FutexWake(const Napi::CallbackInfo& info);
