#include "buffer-pool.h"
#include <sys/mman.h>
#include <algorithm>
#include <deque>
#include <iterator>
#include <mutex>
#include <vector>
#include "array-buffer.h"
#include "error.h"

namespace {

/** What is kept for good: V8 drops 32 MiB of young buffers at once, up to Node 22. */
constexpr size_t kMaxHeldBytes = 32 << 20;
/** What is kept besides, as long as the kernel has memory enough: some 100 MiB are dropped at once from Node 24 on. */
constexpr size_t kMaxLentBytes = 96 << 20;
constexpr double kMaxBufferBytes = 1 << 30;
constexpr size_t kPageBytes = 4096;

struct Block {
  void* start;
  size_t bytes;
};

/** Blocks that nobody uses, in the order in which they came. They are large, so there are few. */
class Shelf {
 public:
  void Put(const Block& block) {
    blocks_.push_back(block);
    bytes_ += block.bytes;
  }

  /** The latest one of that size. @returns null: there is none */
  void* Take(size_t bytes) {
    const auto latest =
        std::find_if(blocks_.rbegin(), blocks_.rend(), [=](const Block& block) { return block.bytes == bytes; });
    if (latest == blocks_.rend()) return nullptr;
    void* const start = latest->start;
    blocks_.erase(std::next(latest).base());
    bytes_ -= bytes;
    return start;
  }

  /** Takes the oldest away until there are no more than so many bytes. */
  std::vector<Block> TakeBeyond(size_t most_bytes) {
    std::vector<Block> taken;
    for (; bytes_ > most_bytes; blocks_.pop_front()) {
      taken.push_back(blocks_.front());
      bytes_ -= blocks_.front().bytes;
    }
    return taken;
  }

 private:
  std::deque<Block> blocks_;
  size_t bytes_ = 0;
};

/** Never destroyed: buffers are dropped on background threads while exit() runs destructors. */
std::mutex& mutex = *new std::mutex;
Shelf& held = *new Shelf;
/** The kernel may take their pages: what they held is lost then, and they are zeros. */
Shelf& lent = *new Shelf;

/** Four sizes for each power of two, so that a block for any of them wastes less than a quarter. */
size_t BlockBytes(size_t bytes) {
  size_t step = kPageBytes;
  while (step * 8 < bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

/** @returns null: the kernel has none */
void* TakeBlock(size_t bytes) {
  {
    const std::lock_guard<std::mutex> lock(mutex);
    void* const latest = held.Take(bytes);
    if (latest != nullptr) return latest;
    void* const older = lent.Take(bytes);
    if (older != nullptr) return older;
  }
  void* const fresh = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  return fresh == MAP_FAILED ? nullptr : fresh;
}

std::vector<Block> Hold(const Block& block) {
  const std::lock_guard<std::mutex> lock(mutex);
  held.Put(block);
  return held.TakeBeyond(kMaxHeldBytes);
}

std::vector<Block> Lend(const std::vector<Block>& blocks) {
  const std::lock_guard<std::mutex> lock(mutex);
  for (const Block& block : blocks) lent.Put(block);
  return lent.TakeBeyond(kMaxLentBytes);
}

/** The oldest blocks leave first, and so do those of sizes that are no longer asked for. */
void DropBlock(void* start, size_t bytes) {
  const std::vector<Block> older = Hold({start, bytes});
  if (older.empty()) return;
  // While nobody can take them: from then on what they hold counts.
  for (const Block& block : older) madvise(block.start, block.bytes, MADV_FREE);
  for (const Block& block : Lend(older)) munmap(block.start, block.bytes);
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
