#include "pages.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>

namespace {

/** Of x64, and of ARM64 with pages of 4 KiB. */
constexpr size_t kLargePage = 2 << 20;
/** Since Linux 6.1; the headers here may be older. */
constexpr int kMadvCollapse = 25;
constexpr off_t kSmallPage = 4096;
/** Asked for at once: each call may have to wait until every CPU has had a moment. It takes 1 ms; small pages take 3.
 */
constexpr size_t kStep = 8 << 20;
/** For each step, of all together. A virtual machine may take 6 ms for a large page that it has never used before. */
constexpr std::chrono::microseconds kPatience(2500);

/** The kernel makes no large page out of nothing: reserves the first small page of each. */
bool Touch(int fd, size_t offset, size_t end) {
  for (; offset < end; offset += kLargePage) {
    if (posix_fallocate(fd, static_cast<off_t>(offset), kSmallPage) != 0) return false;
  }
  return true;
}

uintptr_t RoundUp(uintptr_t address) { return (address + kLargePage - 1) & ~(kLargePage - 1); }

}  // namespace

void* MapAligned(size_t bytes, int protection, int flags, int fd) {
  // Address space for the place to be chosen from; what is not used of it is given back.
  const size_t reserved = bytes + kLargePage;
  void* const around = mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (around == MAP_FAILED) return MAP_FAILED;
  const uintptr_t first = reinterpret_cast<uintptr_t>(around);
  const uintptr_t start = RoundUp(first);
  void* const mapping = mmap(reinterpret_cast<void*>(start), bytes, protection, flags | MAP_FIXED, fd, 0);
  if (mapping == MAP_FAILED) {
    const int error = errno;
    munmap(around, reserved);
    errno = error;
    return MAP_FAILED;
  }
  const uintptr_t page = 4096;
  const uintptr_t end = (start + bytes + page - 1) & ~(page - 1);
  if (start > first) munmap(around, start - first);
  if (first + reserved > end) munmap(reinterpret_cast<void*>(end), first + reserved - end);
  return mapping;
}

void TakeLargePages(int fd, size_t bytes) {
  if (bytes < kLargePage) return;
  void* const mapping = MapAligned(bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  if (mapping == MAP_FAILED) return;
  const size_t end = bytes - bytes % kLargePage;
  const auto give_up_at = std::chrono::steady_clock::now() + kPatience * (1 + bytes / kStep);
  for (size_t offset = 0; offset < end && std::chrono::steady_clock::now() < give_up_at; offset += kStep) {
    const size_t step = std::min(kStep, end - offset);
    if (!Touch(fd, offset, offset + step)) break;
    if (madvise(static_cast<char*>(mapping) + offset, step, kMadvCollapse) != 0) break;
  }
  munmap(mapping, bytes);
}
