/**
 * Large pages for segments: mappings start where a large page may, and a new segment takes large pages as far as there
 * are any. A random access then seldom misses the TLB, a process maps 2 MiB at its first touch instead of 4 KiB, and to
 * reserve the memory takes a third of the time.
 */
#pragma once
#include <cstddef>

/** mmap() at an address that is a multiple of the size of a large page. MAP_FAILED and errno as there. */
void* MapAligned(size_t bytes, int protection, int flags, int fd);

/**
 * Reserves an empty file of shared memory in large pages, from its start until the kernel has or knows no more of them,
 * or takes much longer than it usually does; what is left is to be reserved otherwise. The file must have its size.
 * Linux 6.1.
 */
void TakeLargePages(int fd, size_t bytes);
