#include "array-buffer.h"
#include <dlfcn.h>
#include <v8.h>
#include <cstring>
#include <memory>

// Every Node so far has them; segment.cc tells why they are weak. Node-API's own external buffers are given up only in
// a later turn of the event loop, which a blocking caller may never come to.
__asm__(".weak _ZN2v811ArrayBuffer15NewBackingStoreEPvmPFvS1_mS1_ES1_");
__asm__(".weak _ZN2v811ArrayBuffer3NewEPNS_7IsolateESt10shared_ptrINS_12BackingStoreEE");
__asm__(".weak _ZN2v811ArrayBuffer12SetDetachKeyENS_5LocalINS_5ValueEEE");

bool HasArrayBuffers() {
  static const bool has = dlsym(RTLD_DEFAULT, "_ZN2v811ArrayBuffer15NewBackingStoreEPvmPFvS1_mS1_ES1_") != nullptr;
  return has;
}

Napi::Value NewArrayBuffer(Napi::Env env, void* bytes, size_t length, DropBytes drop, void* hint) {
  const std::shared_ptr<v8::BackingStore> store = v8::ArrayBuffer::NewBackingStore(bytes, length, drop, hint);
  // A napi_value is a v8::Local by another name.
  return Napi::Value(env, reinterpret_cast<napi_value>(*v8::ArrayBuffer::New(v8::Isolate::GetCurrent(), store)));
}

void Detach(Napi::Env env, napi_value buffer) {
  static const bool hasKeys =
      dlsym(RTLD_DEFAULT, "_ZN2v811ArrayBuffer12SetDetachKeyENS_5LocalINS_5ValueEEE") != nullptr;
  if (hasKeys) {
    v8::Local<v8::ArrayBuffer> local;
    v8::Local<v8::Value> none;
    // Not v8::Undefined(), which is compiled to where this Node keeps it.
    const napi_value undefined = env.Undefined();
    static_assert(sizeof(local) == sizeof(buffer) && sizeof(none) == sizeof(undefined));
    std::memcpy(static_cast<void*>(&local), &buffer, sizeof(local));
    std::memcpy(static_cast<void*>(&none), &undefined, sizeof(none));
    local->SetDetachKey(none);
  }
  napi_detach_arraybuffer(env, buffer);
}
