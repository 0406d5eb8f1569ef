#include "cpu.h"
#include <sched.h>
#include <unistd.h>
#include <cstring>

namespace {

/** The kernel moves a thread at once when it may not stay where it is. Then it may be anywhere again. */
bool Leave() {
  // Looked up once: it is read from a file.
  static const long online = sysconf(_SC_NPROCESSORS_ONLN);
  cpu_set_t all;
  const int cpu = sched_getcpu();
  // Whoever keeps threads to some of the CPUs may do so at any moment, and it is not ours to change that.
  if (cpu < 0 || sched_getaffinity(0, sizeof all, &all) != 0) return false;
  if (CPU_COUNT(&all) < 2 || CPU_COUNT(&all) < online) return false;
  cpu_set_t others = all;
  CPU_CLR(cpu, &others);
  if (sched_setaffinity(0, sizeof others, &others) != 0) return false;
  cpu_set_t now;
  if (sched_getaffinity(0, sizeof now, &now) != 0 || !CPU_EQUAL(&now, &others)) return true;
  // As if it had never been told: also on those that are put into use later.
  cpu_set_t any;
  std::memset(&any, 0xff, sizeof any);
  sched_setaffinity(0, sizeof any, &any);
  return true;
}

}  // namespace

void YieldCpu(const Napi::CallbackInfo&) {
  sched_yield();  // cannot fail on Linux
}

Napi::Value LeaveCpu(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), Leave()); }
