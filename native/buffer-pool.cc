#include "buffer-pool.h"
#include <sys/mman.h>
#include <algorithm>
#include <iterator>
#include <mutex>
#include <vector>
#include "array-buffer.h"
#include "error.h"

namespace {

/** Of all blocks that are kept. V8 collects young buffers whenever they come to 32 MiB, and that comes back at once. */
constexpr size_t kMaxKeptBytes = 32 << 20;
constexpr double kMaxBufferBytes = 1 << 30;
constexpr size_t kPageBytes = 4096;

struct Block {
  void* start;
  size_t bytes;
};

/** Never destroyed: buffers are dropped on background threads while exit() runs destructors. */
std::mutex& mutex = *new std::mutex;
/** Blocks that nobody uses, in the order in which they were dropped. They are large, so there are few. */
std::vector<Block>& kept = *new std::vector<Block>;
size_t kept_bytes = 0;

/** Four sizes for each power of two, so that a block for any of them wastes less than a quarter. */
size_t BlockBytes(size_t bytes) {
  size_t step = kPageBytes;
  while (step * 8 < bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

/** @returns null: there was none of that size */
void* TakeKept(size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex);
  const auto latest =
      std::find_if(kept.rbegin(), kept.rend(), [=](const Block& block) { return block.bytes == bytes; });
  if (latest == kept.rend()) return nullptr;
  void* const start = latest->start;
  kept.erase(std::next(latest).base());
  kept_bytes -= bytes;
  return start;
}

/** @returns null: the kernel has none */
void* TakeBlock(size_t bytes) {
  void* const start = TakeKept(bytes);
  if (start != nullptr) return start;
  void* const fresh = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  return fresh == MAP_FAILED ? nullptr : fresh;
}

/** Of sizes that are no longer asked for, the blocks leave first. */
void DropBlock(void* start, size_t bytes) {
  std::vector<Block> left;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    kept.push_back({start, bytes});
    kept_bytes += bytes;
    auto next = kept.begin();
    for (; kept_bytes > kMaxKeptBytes; next++) {
      kept_bytes -= next->bytes;
      left.push_back(*next);
    }
    kept.erase(kept.begin(), next);
  }
  for (const Block& block : left) munmap(block.start, block.bytes);
}

}  // namespace

Napi::Value TakeBuffer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const size_t bytes = static_cast<size_t>(IntegerArgument(info, 0, "bytes", 1, kMaxBufferBytes));
  if (!HasArrayBuffers()) return env.Undefined();
  // Where V8 allocates a buffer itself, it collects the young ones first if they have come to 32 MiB. Of ours it would
  // wait for more, and then collect the whole heap.
  Napi::ArrayBuffer::New(env, 1);
  void* const block = TakeBlock(BlockBytes(bytes));
  if (block == nullptr) return env.Undefined();
  const auto drop = [](void* start, size_t length, void*) { DropBlock(start, BlockBytes(length)); };
  return NewArrayBuffer(env, block, bytes, drop, nullptr);
}
