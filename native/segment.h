/**
 * Files of shared memory, mapped as SharedArrayBuffers. A process maps one file once per size and access mode, counts
 * what refers to the mapping (buffers, views) and unmaps with the last one.
 * Thread safety: any thread of any environment may map; V8 may drop a buffer on any thread, even while exit() runs.
 * If the process dies: a file that was not linked yet is gone, a linked one stays as it is.
 */
#pragma once
#include <napi.h>
#include <sys/types.h>
#include <tuple>
#include <utility>

enum class Access { kRead, kWrite, /** Private, and guarded against writes: guard.h. */ kView };

/** The mapping pins the inode: no other file gets its number. */
using MappingKey = std::tuple<dev_t, ino_t, size_t, Access>;

struct Mapping {
  char* address;
  size_t bytes;
  /** Whoever makes this 0 unmaps. */
  size_t references;
};

using MappingEntry = std::pair<const MappingKey, Mapping>;

/** A mapping with one reference more. Throws an Error for what the kernel refuses. */
MappingEntry* AcquireMapping(Napi::Env env, int fd, size_t bytes, Access access);
/** One reference more to a mapping that is held. */
void KeepMapping(MappingEntry* entry);
void ReleaseMapping(MappingEntry* entry);

Napi::Value CreateSegment(const Napi::CallbackInfo& info);
void CloseSegment(const Napi::CallbackInfo& info);
void LinkSegment(const Napi::CallbackInfo& info);
Napi::Value MapSegment(const Napi::CallbackInfo& info);
