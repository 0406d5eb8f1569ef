#include "cpu.h"
#include <sched.h>
#include <climits>
#include <cstring>
#include "error.h"

namespace {

/** Of this thread: it was moved, and could not be told that it may run anywhere again. */
thread_local bool is_held = false;

/** As a thread that was never told where to run, also on CPUs that are put into use later. */
void AllowAny() {
  cpu_set_t any;
  std::memset(&any, 0xff, sizeof any);
  is_held = sched_setaffinity(0, sizeof any, &any) != 0;
}

/** The kernel moves a thread at once when it may not stay where it is. */
bool Leave(int cpus) {
  if (is_held) AllowAny();
  cpu_set_t allowed;
  const int cpu = sched_getcpu();
  if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return false;
  // Whoever keeps threads to some of the CPUs may do so at any moment, and it is not ours to change that.
  if (cpus < 2 || CPU_COUNT(&allowed) < cpus) return false;
  cpu_set_t others = allowed;
  CPU_CLR(cpu, &others);
  if (sched_setaffinity(0, sizeof others, &others) != 0) return false;
  cpu_set_t now;
  const bool is_ours = sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &others);
  if (is_ours) AllowAny();
  return true;
}

}  // namespace

void YieldCpu(const Napi::CallbackInfo&) {
  sched_yield();  // cannot fail on Linux
}

Napi::Value LeaveCpu(const Napi::CallbackInfo& info) {
  const int cpus = static_cast<int>(IntegerArgument(info, 0, "cpus", 0, INT_MAX));
  return Napi::Boolean::New(info.Env(), Leave(cpus));
}
