#include "error.h"
#include <uv.h>
#include <climits>
#include <cmath>

static std::string Describe(const Napi::Value& value) {
  if (value.IsString()) return "a string";
  if (value.IsSymbol()) return "a symbol";
  if (value.IsFunction()) return "a function";
  if (!value.IsObject()) return value.ToString();
  const Napi::Value constructor = value.As<Napi::Object>().Get("constructor");
  if (!constructor.IsFunction()) return "an object";
  return constructor.As<Napi::Object>().Get("name").ToString();
}

Napi::Error SystemError(Napi::Env env, int error, const char* syscall) {
  const std::string code = uv_err_name(-error);
  Napi::Error result = Napi::Error::New(env, code + ": " + uv_strerror(-error) + ", " + syscall);
  result.Set("code", Napi::String::New(env, code));
  result.Set("errno", Napi::Number::New(env, error));
  result.Set("syscall", Napi::String::New(env, syscall));
  return result;
}

Napi::TypeError TypeMismatch(const Napi::CallbackInfo& info, size_t position, const char* name, const char* expected) {
  const std::string message = std::string(name) + ": expected " + expected + ", got " + Describe(info[position]);
  return Napi::TypeError::New(info.Env(), message);
}

double IntegerArgument(const Napi::CallbackInfo& info, size_t position, const char* name, double min, double max) {
  double value;
  const napi_status status = napi_get_value_double(info.Env(), info[position], &value);
  if (status != napi_ok) throw TypeMismatch(info, position, name, "an integer");
  if (value >= min && value <= max && value == std::trunc(value)) return value;
  const std::string range = std::to_string(std::llround(min)) + " to " + std::to_string(std::llround(max));
  const std::string message = std::string(name) + ": expected an integer from " + range + ", got ";
  throw Napi::RangeError::New(info.Env(), message + Describe(info[position]));
}

bool BooleanArgument(const Napi::CallbackInfo& info, size_t position, const char* name) {
  if (info[position].IsUndefined()) return false;
  bool value;
  if (napi_get_value_bool(info.Env(), info[position], &value) == napi_ok) return value;
  throw TypeMismatch(info, position, name, "a boolean");
}

int DescriptorArgument(const Napi::CallbackInfo& info, size_t position) {
  return static_cast<int>(IntegerArgument(info, position, "fd", 0, INT_MAX));
}

mode_t ModeArgument(const Napi::CallbackInfo& info, size_t position) {
  return static_cast<mode_t>(IntegerArgument(info, position, "mode", 0, 0777));
}

uint8_t* BytesArgument(const Napi::CallbackInfo& info, size_t position, const char* name, size_t* length) {
  napi_typedarray_type type;
  void* bytes;
  const napi_status status =
      napi_get_typedarray_info(info.Env(), info[position], &type, length, &bytes, nullptr, nullptr);
  if (status != napi_ok || type != napi_uint8_array) throw TypeMismatch(info, position, name, "a Uint8Array");
  return static_cast<uint8_t*>(bytes);
}

std::string PathArgument(const Napi::CallbackInfo& info, size_t position, const char* name) {
  const std::string path = info[position].IsString() ? info[position].As<Napi::String>().Utf8Value() : "";
  if (!path.empty() && path.find('\0') == std::string::npos) return path;
  throw TypeMismatch(info, position, name, "a path, not empty and without NUL");
}
