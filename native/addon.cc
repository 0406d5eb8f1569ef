/**
 * The export table: what src/native.ts types, and nothing else. It is built once per environment; all that
 * environments share is the registry of mappings in segment.cc.
 */
#include <napi.h>
#include "buffer-pool.h"
#include "clock.h"
#include "copy.h"
#include "cpu.h"
#include "crc32c.h"
#include "doorbell.h"
#include "file-cache.h"
#include "futex.h"
#include "lease.h"
#include "segment.h"
#include "view.h"

template <auto callback>
static void Export(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<callback>(exports.Env(), name));
}

static Napi::Object Init(Napi::Env, Napi::Object exports) {
  Export<CreateSegment>(exports, "createSegment");
  Export<CloseSegment>(exports, "closeSegment");
  Export<LinkSegment>(exports, "linkSegment");
  Export<MapSegment>(exports, "mapSegment");
  Export<MapViews>(exports, "mapViews");
  Export<OpenView>(exports, "openView");
  Export<CloseView>(exports, "closeView");
  Export<DetachBuffer>(exports, "detachBuffer");
  Export<FutexWait>(exports, "futexWait");
  Export<FutexWake>(exports, "futexWake");
  Export<YieldCpu>(exports, "yieldCpu");
  Export<LeaveCpu>(exports, "leaveCpu");
  Export<WallFraction>(exports, "wallFraction");
  Export<TryLockByte>(exports, "tryLockByte");
  Export<UnlockByte>(exports, "unlockByte");
  Export<IsByteLocked>(exports, "isByteLocked");
  Export<TryLockDirectory>(exports, "tryLockDirectory");
  Export<DropBehind>(exports, "dropBehind");
  Export<MakeFifo>(exports, "makeFifo");
  Export<WatchDoorbell>(exports, "watchDoorbell");
  Export<RingDoorbell>(exports, "ringDoorbell");
  Export<TakeBuffer>(exports, "takeBuffer");
  Export<CopyBytes>(exports, "copyBytes");
  Export<Crc32c>(exports, "crc32c");
  Export<SealFrames>(exports, "sealFrames");
  Export<SoundFrames>(exports, "soundFrames");
  return exports;
}

NODE_API_MODULE(shm_kvs, Init)
