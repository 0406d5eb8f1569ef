#include "guard.h"
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <mutex>

namespace {

/** Read by the handler on any thread, at any moment: no locks there. */
struct Range {
  /** 0: unused. Written last when it is taken, first when it is given up. */
  std::atomic<uintptr_t> start;
  std::atomic<size_t> bytes;
  /** Some page has been made writable. */
  std::atomic<bool> isWritten;
};

/** Regions that one process reads at once. */
Range ranges[64];
struct sigaction before;

Range* RangeOf(uintptr_t address) {
  for (Range& range : ranges) {
    const uintptr_t start = range.start;
    if (start != 0 && address >= start && address - start < range.bytes) return &range;
  }
  return nullptr;
}

/** Whether the write may be tried again now, on a private copy of the page. */
bool LetWrite(uintptr_t address) {
  Range* const range = RangeOf(address);
  if (range == nullptr) return false;
  const uintptr_t page = address & ~static_cast<uintptr_t>(sysconf(_SC_PAGESIZE) - 1);
  if (mprotect(reinterpret_cast<void*>(page), 1, PROT_READ | PROT_WRITE) != 0) return false;
  range->isWritten = true;
  return true;
}

void OnFault(int signal, siginfo_t* info, void* context) {
  const int error = errno;
  const bool isOurs = info->si_code == SEGV_ACCERR && LetWrite(reinterpret_cast<uintptr_t>(info->si_addr));
  errno = error;
  if (isOurs) return;
  if ((before.sa_flags & SA_SIGINFO) != 0) return before.sa_sigaction(signal, info, context);
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(signal);
  // As without us: a fault comes again, a signal that was sent is sent again.
  sigaction(SIGSEGV, &before, nullptr);
  if (info->si_code <= 0) raise(SIGSEGV);
}

void Install() {
  struct sigaction action = {};
  action.sa_sigaction = OnFault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  sigaction(SIGSEGV, nullptr, &before);
  sigaction(SIGSEGV, &action, nullptr);
}

}  // namespace

void StartGuarding() {
  static std::once_flag installed;
  std::call_once(installed, Install);
}

bool Guard(void* address, size_t bytes) {
  for (Range& range : ranges) {
    if (range.start != 0) continue;
    range.bytes = bytes;
    range.isWritten = false;
    range.start = reinterpret_cast<uintptr_t>(address);
    return true;
  }
  return false;
}

void Unguard(void* address) {
  Range* const range = RangeOf(reinterpret_cast<uintptr_t>(address));
  if (range != nullptr) range->start = 0;
}

void Restore(void* address) {
  Range* const range = RangeOf(reinterpret_cast<uintptr_t>(address));
  if (range == nullptr || !range->isWritten || !range->isWritten.exchange(false)) return;
  // Whoever writes from here on faults again, and sets the flag again.
  mprotect(address, range->bytes, PROT_READ);
  madvise(address, range->bytes, MADV_DONTNEED);
}
