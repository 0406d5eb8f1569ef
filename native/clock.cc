#include "clock.h"
#include <ctime>

Napi::Value WallFraction(const Napi::CallbackInfo& info) {
  constexpr long kNanosecondsPerMillisecond = 1'000'000;
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);  // cannot fail on Linux
  const long nanoseconds = now.tv_nsec % kNanosecondsPerMillisecond;
  return Napi::Number::New(info.Env(), static_cast<double>(nanoseconds) / kNanosecondsPerMillisecond);
}
