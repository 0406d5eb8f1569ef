#include "crc32c.h"
#include <array>
#include <cstdint>
#include <cstring>
#include "error.h"
#if defined(__x86_64__)
#include <nmmintrin.h>
#define CRC_TARGET __attribute__((target("sse4.2")))
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#define CRC_TARGET __attribute__((target("+crc")))
#endif

namespace {

constexpr size_t kFrameHeaderBytes = 8;
constexpr uint32_t kPolynomial = 0x82f63b78;  // reflected

template <typename Number>
Number Load(const uint8_t* bytes) {
  Number number;
  std::memcpy(&number, bytes, sizeof number);
  return number;
}

using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables MakeTables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t sum = byte;
    for (int bit = 0; bit < 8; bit++) sum = (sum >> 1) ^ ((sum & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = sum;
  }
  for (uint32_t byte = 0; byte < 256; byte++) {
    for (size_t i = 1; i < 8; i++) {
      tables[i][byte] = (tables[i - 1][byte] >> 8) ^ tables[0][tables[i - 1][byte] & 0xff];
    }
  }
  return tables;
}

/** Slicing-by-8 (Kounavis and Berry, 2005). */
uint32_t SumByTables(uint32_t sum, const uint8_t* bytes, size_t length) {
  static constexpr Tables kTables = MakeTables();
  for (; length >= 8; bytes += 8, length -= 8) {
    const uint64_t eight = Load<uint64_t>(bytes) ^ sum;
    sum = 0;
    for (size_t i = 0; i < 8; i++) sum ^= kTables[7 - i][(eight >> (8 * i)) & 0xff];
  }
  for (; length > 0; bytes++, length--) sum = (sum >> 8) ^ kTables[0][(sum ^ *bytes) & 0xff];
  return sum;
}

#if defined(CRC_TARGET)
CRC_TARGET uint32_t SumByInstruction(uint32_t sum, const uint8_t* bytes, size_t length) {
#if defined(__x86_64__)
  uint64_t wide = sum;
  for (; length >= 8; bytes += 8, length -= 8) wide = _mm_crc32_u64(wide, Load<uint64_t>(bytes));
  sum = static_cast<uint32_t>(wide);
  for (; length > 0; bytes++, length--) sum = _mm_crc32_u8(sum, *bytes);
#else
  for (; length >= 8; bytes += 8, length -= 8) sum = __builtin_aarch64_crc32cx(sum, Load<uint64_t>(bytes));
  for (; length > 0; bytes++, length--) sum = __builtin_aarch64_crc32cb(sum, *bytes);
#endif
  return sum;
}

bool HasInstruction() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("sse4.2") != 0;
#else
  return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#endif
}
#else
constexpr auto SumByInstruction = SumByTables;
constexpr bool HasInstruction() { return false; }
#endif

using Sum = uint32_t (*)(uint32_t, const uint8_t*, size_t);

/** @param seed the CRC of what came before, 0: nothing */
uint32_t CrcOf(uint32_t seed, const uint8_t* bytes, size_t length) {
  static const Sum sum = HasInstruction() ? SumByInstruction : SumByTables;
  return ~sum(~seed, bytes, length);
}

struct Stretch {
  uint8_t* bytes;
  size_t length;
};

/** Arguments (bytes, offset, length): a stretch that lies within a Uint8Array. */
Stretch StretchArgument(const Napi::CallbackInfo& info) {
  size_t length;
  uint8_t* const bytes = BytesArgument(info, 0, "bytes", &length);
  const size_t offset = static_cast<size_t>(IntegerArgument(info, 1, "offset", 0, static_cast<double>(length)));
  const double most = static_cast<double>(length - offset);
  return {bytes + offset, static_cast<size_t>(IntegerArgument(info, 2, "length", 0, most))};
}

uint32_t SeedArgument(const Napi::CallbackInfo& info) {
  return info[3].IsUndefined() ? 0 : static_cast<uint32_t>(IntegerArgument(info, 3, "seed", 0, UINT32_MAX));
}

/** @returns the length of the frame at the start of the stretch, 0: there is no whole one */
size_t FrameLength(const Stretch& stretch) {
  if (stretch.length < kFrameHeaderBytes) return 0;
  const uint32_t length = Load<uint32_t>(stretch.bytes + 4);
  return length < kFrameHeaderBytes || length > stretch.length ? 0 : length;
}

}  // namespace

Napi::Value Crc32c(const Napi::CallbackInfo& info) {
  const auto [bytes, length] = StretchArgument(info);
  const uint32_t seed = SeedArgument(info);
  const bool byTables = BooleanArgument(info, 4, "byTables");
  return Napi::Number::New(info.Env(), byTables ? ~SumByTables(~seed, bytes, length) : CrcOf(seed, bytes, length));
}

Napi::Value SealFrames(const Napi::CallbackInfo& info) {
  Stretch rest = StretchArgument(info);
  const uint32_t seed = SeedArgument(info);
  const size_t whole = rest.length;
  while (rest.length > 0) {
    const size_t length = FrameLength(rest);
    if (length == 0) {
      const std::string at = std::to_string(whole - rest.length);
      throw Napi::RangeError::New(info.Env(), "bytes: expected whole frames, there is none at byte " + at);
    }
    const uint32_t sum = CrcOf(seed, rest.bytes + 4, length - 4);
    std::memcpy(rest.bytes, &sum, sizeof sum);
    rest = {rest.bytes + length, rest.length - length};
  }
  return info.Env().Undefined();
}

Napi::Value SoundFrames(const Napi::CallbackInfo& info) {
  Stretch rest = StretchArgument(info);
  const uint32_t seed = SeedArgument(info);
  const size_t whole = rest.length;
  for (size_t length = FrameLength(rest); length != 0; length = FrameLength(rest)) {
    if (Load<uint32_t>(rest.bytes) != CrcOf(seed, rest.bytes + 4, length - 4)) break;
    rest = {rest.bytes + length, rest.length - length};
  }
  return Napi::Number::New(info.Env(), static_cast<double>(whole - rest.length));
}
