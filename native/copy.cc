#include "copy.h"
#include <algorithm>
#include <cstdint>
#include <cstring>
#include "error.h"
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace {

/** Arguments (bytes, offset): where `length` bytes begin that are all within. */
uint8_t* PlaceArgument(const Napi::CallbackInfo& info, size_t position, const char* name, size_t length) {
  size_t room;
  uint8_t* const bytes = BytesArgument(info, position, name, &room);
  if (length > room) {
    const std::string most = std::string(name) + ": expected at least " + std::to_string(length) + " bytes, got ";
    throw Napi::RangeError::New(info.Env(), most + std::to_string(room));
  }
  const double last = static_cast<double>(room - length);
  return bytes + static_cast<size_t>(IntegerArgument(info, position + 1, "offset", 0, last));
}

/** Of a target that is in no cache, neither what it was is fetched nor what it becomes kept. */
void CopyPastCaches(uint8_t* target, const uint8_t* source, size_t length) {
#if defined(__x86_64__)
  constexpr size_t kLine = 64;
  const size_t head = std::min(length, -reinterpret_cast<uintptr_t>(target) % kLine);
  std::memcpy(target, source, head);
  target += head, source += head, length -= head;
  _mm_sfence();  // such stores keep no order with others: with those before them, here, nor with those after
  for (; length >= kLine; target += kLine, source += kLine, length -= kLine) {
    const auto* from = reinterpret_cast<const __m128i*>(source);
    auto* to = reinterpret_cast<__m128i*>(target);
    const __m128i first = _mm_loadu_si128(from), second = _mm_loadu_si128(from + 1);
    const __m128i third = _mm_loadu_si128(from + 2), fourth = _mm_loadu_si128(from + 3);
    _mm_stream_si128(to, first), _mm_stream_si128(to + 1, second);
    _mm_stream_si128(to + 2, third), _mm_stream_si128(to + 3, fourth);
  }
  std::memcpy(target, source, length);
  _mm_sfence();  // such stores keep no order with others: whatever says that they are there must come after them
#else
  std::memcpy(target, source, length);
#endif
}

}  // namespace

void CopyBytes(const Napi::CallbackInfo& info) {
  const size_t length = static_cast<size_t>(IntegerArgument(info, 4, "length", 0, kMaxSafeInteger));
  const bool pastCaches = BooleanArgument(info, 5, "pastCaches");
  uint8_t* const target = PlaceArgument(info, 0, "target", length);
  const uint8_t* const source = PlaceArgument(info, 2, "source", length);
  if (length == 0) return;
  const bool overlaps = target < source + length && source < target + length;
  if (pastCaches && !overlaps)
    CopyPastCaches(target, source, length);
  else
    std::memmove(target, source, length);
}
