#include "segment.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <v8.h>
#include <algorithm>
#include <map>
#include <mutex>
#include "error.h"
#include "guard.h"
#include "pages.h"

// Found by the loader where the running Node has them, null elsewhere: one binary serves every Node. Node-API's own
// way came with 22.23.3, 24.16 and 26.1; V8's is for the Nodes before, which all have these symbols.
extern "C" __attribute__((weak)) napi_status node_api_create_external_sharedarraybuffer(
    napi_env, void* data, size_t bytes, void (*drop)(void* data, void* hint), void* hint, napi_value* result);
__asm__(".weak _ZN2v87Isolate10GetCurrentEv");
__asm__(".weak _ZN2v812BackingStoreD1Ev");
__asm__(".weak _ZN2v817SharedArrayBuffer15NewBackingStoreEPvmPFvS1_mS1_ES1_");
__asm__(".weak _ZN2v817SharedArrayBuffer3NewEPNS_7IsolateESt10shared_ptrINS_12BackingStoreEE");

namespace {

/** The process's mappings. Never destroyed: buffers are dropped on background threads while exit() runs destructors. */
std::mutex& mutex = *new std::mutex;
std::map<MappingKey, Mapping>& mappings = *new std::map<MappingKey, Mapping>;

void* Map(int fd, size_t bytes, Access access) {
  // A view's pages are those of the file until somebody writes. Not reserved: nobody should.
  if (access == Access::kView) return MapAligned(bytes, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, fd);
  return MapAligned(bytes, PROT_READ | (access == Access::kWrite ? PROT_WRITE : 0), MAP_SHARED, fd);
}

/** A buffer over the mapping; it takes over one reference. */
Napi::Value Wrap(Napi::Env env, MappingEntry* entry) {
  const Mapping& mapping = entry->second;
  if (node_api_create_external_sharedarraybuffer != nullptr) {
    napi_value buffer;
    const auto drop = [](void*, void* hint) { ReleaseMapping(static_cast<MappingEntry*>(hint)); };
    const napi_status status =
        node_api_create_external_sharedarraybuffer(env, mapping.address, mapping.bytes, drop, entry, &buffer);
    if (status == napi_ok) return Napi::Value(env, buffer);
    ReleaseMapping(entry);
    throw Napi::Error::New(env);
  }
  const auto drop = [](void*, size_t, void* hint) { ReleaseMapping(static_cast<MappingEntry*>(hint)); };
  const std::shared_ptr<v8::BackingStore> store =
      v8::SharedArrayBuffer::NewBackingStore(mapping.address, mapping.bytes, drop, entry);
  // A napi_value is a v8::Local by another name.
  return Napi::Value(env, reinterpret_cast<napi_value>(*v8::SharedArrayBuffer::New(v8::Isolate::GetCurrent(), store)));
}

/** Reserves all pages, in steps: a signal undoes what an interrupted call did, and a profiler's never stop coming. */
void Reserve(Napi::Env env, int fd, size_t bytes) {
  constexpr size_t kStepBytes = 4 << 20;
  constexpr int kMaxAttempts = 100;
  for (size_t offset = 0; offset < bytes; offset += kStepBytes) {
    int error = EINTR;
    for (int attempt = 0; error == EINTR && attempt < kMaxAttempts; attempt++) {
      error = posix_fallocate(fd, static_cast<off_t>(offset), static_cast<off_t>(std::min(kStepBytes, bytes - offset)));
    }
    if (error != 0) throw SystemError(env, error, "posix_fallocate");
  }
}

}  // namespace

MappingEntry* AcquireMapping(Napi::Env env, int fd, size_t bytes, Access access) {
  struct stat file;
  if (fstat(fd, &file) != 0) throw SystemError(env, errno, "fstat");
  if (static_cast<size_t>(file.st_size) < bytes) {
    const std::string most = "bytes: expected at most the file's " + std::to_string(file.st_size);
    throw Napi::RangeError::New(env, most + ", got " + std::to_string(bytes));
  }
  std::unique_lock<std::mutex> lock(mutex);
  const MappingKey key(file.st_dev, file.st_ino, bytes, access);
  auto entry = mappings.find(key);
  if (entry == mappings.end()) {
    void* const address = Map(fd, bytes, access);
    int error = address == MAP_FAILED ? errno : 0;
    if (error == 0 && access == Access::kView && !Guard(address, bytes)) {
      munmap(address, bytes);
      error = ENOMEM;
    }
    if (error != 0) {
      lock.unlock();  // to make an Error may collect garbage, which may come to ReleaseMapping()
      throw SystemError(env, error, "mmap");
    }
    entry = mappings.emplace(key, Mapping{static_cast<char*>(address), bytes, 0}).first;
  }
  entry->second.references++;
  return &*entry;
}

void KeepMapping(MappingEntry* entry) {
  const std::lock_guard<std::mutex> lock(mutex);
  entry->second.references++;
}

void ReleaseMapping(MappingEntry* entry) {
  const std::lock_guard<std::mutex> lock(mutex);
  if (--entry->second.references > 0) return;
  if (std::get<Access>(entry->first) == Access::kView) Unguard(entry->second.address);
  munmap(entry->second.address, entry->second.bytes);
  mappings.erase(mappings.find(entry->first));
}

Napi::Value CreateSegment(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string directory = PathArgument(info, 0, "directory");
  const size_t bytes = static_cast<size_t>(IntegerArgument(info, 1, "bytes", 1, kMaxSafeInteger));
  const mode_t mode = ModeArgument(info, 2);
  bool has_large_pages = false;
  if (!info[3].IsUndefined() && napi_get_value_bool(env, info[3], &has_large_pages) != napi_ok) {
    throw TypeMismatch(info, 3, "hugePages", "a boolean");
  }
  const int fd = open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
  if (fd < 0) throw SystemError(env, errno, "open");
  try {
    if (fchmod(fd, mode) != 0) throw SystemError(env, errno, "fchmod");  // open() obeyed the umask
    // If it cannot have that size, Reserve() says so.
    if (has_large_pages && ftruncate(fd, static_cast<off_t>(bytes)) == 0) TakeLargePages(fd, bytes);
    Reserve(env, fd, bytes);
    Napi::Object segment = Napi::Object::New(env);
    segment.Set("fd", Napi::Number::New(env, fd));
    segment.Set("buffer", Wrap(env, AcquireMapping(env, fd, bytes, Access::kWrite)));
    return segment;
  } catch (...) {
    close(fd);
    throw;
  }
}

void CloseSegment(const Napi::CallbackInfo& info) { close(DescriptorArgument(info, 0)); }

void LinkSegment(const Napi::CallbackInfo& info) {
  const std::string file = "/proc/self/fd/" + std::to_string(DescriptorArgument(info, 0));
  const std::string path = PathArgument(info, 1, "path");
  if (linkat(AT_FDCWD, file.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0) return;
  throw SystemError(info.Env(), errno, "linkat");
}

Napi::Value MapSegment(const Napi::CallbackInfo& info) {
  const size_t bytes = static_cast<size_t>(IntegerArgument(info, 1, "bytes", 1, kMaxSafeInteger));
  bool writable;
  if (napi_get_value_bool(info.Env(), info[2], &writable) != napi_ok) {
    throw TypeMismatch(info, 2, "writable", "a boolean");
  }
  const Access access = writable ? Access::kWrite : Access::kRead;
  return Wrap(info.Env(), AcquireMapping(info.Env(), DescriptorArgument(info, 0), bytes, access));
}
