#include "view.h"
#include <dlfcn.h>
#include <v8.h>
#include <memory>
#include "error.h"
#include "guard.h"
#include "segment.h"

// Every Node so far has them; without them there are no views (segment.cc tells why they are weak). Node-API's own
// external buffers are given up only in a later turn of the event loop, which a blocking caller may never come to.
__asm__(".weak _ZN2v811ArrayBuffer15NewBackingStoreEPvmPFvS1_mS1_ES1_");
__asm__(".weak _ZN2v811ArrayBuffer3NewEPNS_7IsolateESt10shared_ptrINS_12BackingStoreEE");

namespace {

bool HasArrayBuffers() {
  return dlsym(RTLD_DEFAULT, "_ZN2v811ArrayBuffer15NewBackingStoreEPvmPFvS1_mS1_ES1_") != nullptr;
}

}  // namespace

Napi::Value MapViews(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int fd = DescriptorArgument(info, 0);
  const size_t bytes = static_cast<size_t>(IntegerArgument(info, 1, "bytes", 1, kMaxSafeInteger));
  if (!HasArrayBuffers()) throw SystemError(env, ENOTSUP, "v8::ArrayBuffer::NewBackingStore");
  MappingEntry* const entry = AcquireMapping(env, fd, bytes, Access::kView);
  return Napi::External<MappingEntry>::New(env, entry, [](Napi::Env, MappingEntry* held) { ReleaseMapping(held); });
}

Napi::Value OpenView(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsExternal()) throw TypeMismatch(info, 0, "mapping", "what mapViews returned");
  MappingEntry* const entry = info[0].As<Napi::External<MappingEntry>>().Data();
  const Mapping& mapping = entry->second;
  const double end = static_cast<double>(mapping.bytes);
  const double offset = IntegerArgument(info, 1, "offset", 0, end);
  const size_t bytes = static_cast<size_t>(IntegerArgument(info, 2, "bytes", 0, end - offset));
  Restore(mapping.address);
  KeepMapping(entry);
  const auto drop = [](void*, size_t, void* held) { ReleaseMapping(static_cast<MappingEntry*>(held)); };
  const std::shared_ptr<v8::BackingStore> store =
      v8::ArrayBuffer::NewBackingStore(mapping.address + static_cast<size_t>(offset), bytes, drop, entry);
  return Napi::Value(env, reinterpret_cast<napi_value>(*v8::ArrayBuffer::New(v8::Isolate::GetCurrent(), store)));
}

void CloseView(const Napi::CallbackInfo& info) {
  if (!info[0].IsArrayBuffer()) throw TypeMismatch(info, 0, "buffer", "an ArrayBuffer");
  napi_detach_arraybuffer(info.Env(), info[0]);
}
