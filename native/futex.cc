#include "futex.h"
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <climits>
#include <cmath>
#include "error.h"

namespace {

/** What futexWait returns, as native.ts documents it. */
enum WaitResult { kWoken = 0, kDiffered = 1, kTimedOut = 2, kInterrupted = 3 };

/** About 31 years: keeps Infinity within a timespec. */
constexpr double kMaxTimeoutMs = 1e12;

/** Arguments (words, index): in bounds, and aligned to 4 bytes as every Int32Array is. */
int32_t* WordArgument(const Napi::CallbackInfo& info) {
  napi_typedarray_type type;
  size_t length;
  void* words;
  const napi_status status = napi_get_typedarray_info(info.Env(), info[0], &type, &length, &words, nullptr, nullptr);
  if (status != napi_ok || type != napi_int32_array) throw TypeMismatch(info, 0, "words", "an Int32Array");
  if (length == 0) throw Napi::RangeError::New(info.Env(), "words: expected at least one word, got none");
  return static_cast<int32_t*>(words) + static_cast<size_t>(IntegerArgument(info, 1, "index", 0, length - 1.0));
}

timespec TimeoutArgument(const Napi::CallbackInfo& info, size_t position) {
  double timeoutMs;
  if (napi_get_value_double(info.Env(), info[position], &timeoutMs) != napi_ok) {
    throw TypeMismatch(info, position, "timeoutMs", "a number");
  }
  timeoutMs = timeoutMs > 0 ? std::min(timeoutMs, kMaxTimeoutMs) : 0;  // NaN becomes 0
  const double seconds = std::floor(timeoutMs / 1e3);
  return {static_cast<time_t>(seconds), std::lround(std::clamp((timeoutMs - seconds * 1e3) * 1e6, 0.0, 999999999.0))};
}

}  // namespace

Napi::Value FutexWait(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  int32_t* const word = WordArgument(info);
  int32_t expected;  // an unsigned word wraps to the same 32 bits
  if (napi_get_value_int32(env, info[2], &expected) != napi_ok) throw TypeMismatch(info, 2, "expected", "a number");
  const timespec timeout = TimeoutArgument(info, 3);
  // The kernel would find the difference too, a system call later.
  if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != expected) return Napi::Number::New(env, kDiffered);
  if (syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, nullptr, 0) == 0) return Napi::Number::New(env, kWoken);
  switch (errno) {
    case EAGAIN: return Napi::Number::New(env, kDiffered);
    case ETIMEDOUT: return Napi::Number::New(env, kTimedOut);
    case EINTR: return Napi::Number::New(env, kInterrupted);
    default: throw SystemError(env, errno, "futex");
  }
}

Napi::Value FutexWake(const Napi::CallbackInfo& info) {
  int32_t* const word = WordArgument(info);
  const int count = static_cast<int>(IntegerArgument(info, 2, "count", 0, INT_MAX));
  // For 0 the kernel would wake one.
  const long woken = count == 0 ? 0 : syscall(SYS_futex, word, FUTEX_WAKE, count, nullptr, nullptr, 0);
  if (woken < 0) throw SystemError(info.Env(), errno, "futex");
  return Napi::Number::New(info.Env(), static_cast<double>(woken));
}
