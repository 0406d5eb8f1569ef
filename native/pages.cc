#include "pages.h"
#include <sys/mman.h>
#include <atomic>
#include <cstdint>
#include <memory>
#include "error.h"

namespace {

/** Of x64, and of ARM64 with pages of 4 KiB. */
constexpr size_t kLargePage = 2 << 20;
/** Since Linux 6.1; the headers here may be older. */
constexpr int kMadvCollapse = 25;
/** A page that somebody is just using, or no large page free: in a row, that is no accident. */
constexpr int kMaxFailures = 8;

uintptr_t RoundUp(uintptr_t address) { return (address + kLargePage - 1) & ~(kLargePage - 1); }

/** Gathers until it is done or told to stop. */
class Gathering : public Napi::AsyncWorker {
 public:
  Gathering(Napi::Object words, char* start, size_t bytes)
      : AsyncWorker(words.Env(), "shm-kvs: gather pages"),
        deferred_(Napi::Promise::Deferred::New(words.Env())),
        words_(Napi::Persistent(words)),
        start_(start),
        bytes_(bytes) {}

  Napi::Promise Promise() const { return deferred_.Promise(); }
  std::shared_ptr<std::atomic<bool>> IsStopped() const { return is_stopped_; }

  void Execute() override {
    const uintptr_t end = reinterpret_cast<uintptr_t>(start_) + bytes_;
    int failures = 0;
    for (uintptr_t page = RoundUp(reinterpret_cast<uintptr_t>(start_)); page + kLargePage <= end; page += kLargePage) {
      if (*is_stopped_ || failures == kMaxFailures) return;
      if (madvise(reinterpret_cast<void*>(page), kLargePage, kMadvCollapse) == 0) {
        gathered_++;
        failures = 0;
      } else {
        failures++;
      }
    }
  }

  void OnOK() override { deferred_.Resolve(Napi::Number::New(Env(), gathered_)); }

 private:
  const Napi::Promise::Deferred deferred_;
  /** Keeps the mapping. */
  const Napi::ObjectReference words_;
  char* const start_;
  const size_t bytes_;
  const std::shared_ptr<std::atomic<bool>> is_stopped_ = std::make_shared<std::atomic<bool>>(false);
  double gathered_ = 0;
};

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

Napi::Value GatherPages(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  napi_typedarray_type type;
  size_t length;
  void* start;
  const napi_status status = napi_get_typedarray_info(env, info[0], &type, &length, &start, nullptr, nullptr);
  if (status != napi_ok || type != napi_int32_array) throw TypeMismatch(info, 0, "words", "an Int32Array");
  auto* const gathering =
      new Gathering(info[0].As<Napi::Object>(), static_cast<char*>(start), length * sizeof(int32_t));
  const auto is_stopped = gathering->IsStopped();
  // The environment waits for the thread: let it not wait for long.
  env.AddCleanupHook([is_stopped] { *is_stopped = true; });
  Napi::Object handle = Napi::Object::New(env);
  handle.Set("done", gathering->Promise());
  handle.Set("stop", Napi::Function::New(env, [is_stopped](const Napi::CallbackInfo&) { *is_stopped = true; }));
  gathering->Queue();
  return handle;
}
