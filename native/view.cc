#include "view.h"
#include <vector>
#include "array-buffer.h"
#include "error.h"
#include "guard.h"
#include "segment.h"

namespace {

constexpr double kMaxViews = 65536;

/** The views that one thread has open, by index. */
struct Views {
  MappingEntry* entry;
  /** Weak: a buffer that nobody holds is collected. Null: closed. */
  std::vector<napi_ref> open;
};

Views* ViewsArgument(const Napi::CallbackInfo& info) {
  if (!info[0].IsExternal()) throw TypeMismatch(info, 0, "views", "what mapViews returned");
  return info[0].As<Napi::External<Views>>().Data();
}

napi_ref& ViewArgument(const Napi::CallbackInfo& info, Views* views) {
  const double last = static_cast<double>(views->open.size()) - 1;
  return views->open[static_cast<size_t>(IntegerArgument(info, 1, "index", 0, last))];
}

/** False: the buffer was transferred away, and whoever has it now can look on. */
bool Close(Napi::Env env, napi_ref& view) {
  if (view == nullptr) return true;
  napi_value buffer;
  bool isAway = false;
  // Without a buffer it was collected.
  if (napi_get_reference_value(env, view, &buffer) == napi_ok && buffer != nullptr) {
    napi_is_detached_arraybuffer(env, buffer, &isAway);
    if (!isAway) Detach(env, buffer);
  }
  napi_delete_reference(env, view);
  view = nullptr;
  return !isAway;
}

}  // namespace

Napi::Value MapViews(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int fd = DescriptorArgument(info, 0);
  const size_t bytes = static_cast<size_t>(IntegerArgument(info, 1, "bytes", 1, kMaxSafeInteger));
  const size_t count = static_cast<size_t>(IntegerArgument(info, 2, "count", 1, kMaxViews));
  if (!HasArrayBuffers()) throw SystemError(env, ENOTSUP, "v8::ArrayBuffer::NewBackingStore");
  Views* const views = new Views{AcquireMapping(env, fd, bytes, Access::kView), std::vector<napi_ref>(count)};
  return Napi::External<Views>::New(env, views, [](Napi::Env, Views* dropped) {
    ReleaseMapping(dropped->entry);
    delete dropped;
  });
}

Napi::Value OpenView(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Views* const views = ViewsArgument(info);
  napi_ref& view = ViewArgument(info, views);
  const Mapping& mapping = views->entry->second;
  const double offset = IntegerArgument(info, 2, "offset", 0, static_cast<double>(mapping.bytes));
  const double most = static_cast<double>(mapping.bytes) - offset;
  const size_t bytes = static_cast<size_t>(IntegerArgument(info, 3, "bytes", 0, most));
  Close(env, view);
  StartGuarding();
  Restore(mapping.address);
  KeepMapping(views->entry);
  const auto drop = [](void*, size_t, void* entry) { ReleaseMapping(static_cast<MappingEntry*>(entry)); };
  char* const part = mapping.address + static_cast<size_t>(offset);
  const Napi::Value buffer = NewArrayBuffer(env, part, bytes, drop, views->entry);
  if (napi_create_reference(env, buffer, 0, &view) != napi_ok) throw Napi::Error::New(env);
  return buffer;
}

Napi::Value CloseView(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), Close(info.Env(), ViewArgument(info, ViewsArgument(info))));
}

void DetachBuffer(const Napi::CallbackInfo& info) {
  if (!info[0].IsArrayBuffer()) throw TypeMismatch(info, 0, "buffer", "an ArrayBuffer");
  Detach(info.Env(), info[0]);
}
