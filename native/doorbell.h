/**
 * Doorbells: a FIFO through which one process wakes the event loop of another. The watcher holds it open O_RDWR, so it
 * never sees an end of file when ringers die; when it dies itself, ringers learn so by EPIPE.
 * Bytes carry no meaning: a full pipe rings as well as one byte.
 */
#pragma once
#include <napi.h>

void MakeFifo(const Napi::CallbackInfo& info);
Napi::Value WatchDoorbell(const Napi::CallbackInfo& info);
Napi::Value RingDoorbell(const Napi::CallbackInfo& info);
