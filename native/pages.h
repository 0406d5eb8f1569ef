/**
 * Large pages for segments: mappings start where a large page may, and what lies within one is gathered in it later.
 * A random access then seldom misses the TLB, and a process maps 2 MiB at its first touch instead of 4 KiB.
 * Thread safety: gathering runs on a thread of its own pool while any process uses the memory; who touches a page that
 * is being moved waits for some milliseconds. If the process dies: each page is gathered or it is not.
 */
#pragma once
#include <napi.h>

/** mmap() at an address that is a multiple of the size of a large page. MAP_FAILED and errno as there. */
void* MapAligned(size_t bytes, int protection, int flags, int fd);

Napi::Value GatherPages(const Napi::CallbackInfo& info);
