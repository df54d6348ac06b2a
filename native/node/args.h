// Small tools of the binding: reading arguments, making values, throwing errors with `code` and `syscall`.
// TypeScript has validated and named every option before a call comes here; a wrong type here is a bug of ours.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <cstdio>
#include <cstring>

#include "platform/platform.h"

namespace mp::node {

template <size_t N>
struct Args {
  napi_value value[N > 0 ? N : 1];
  size_t count = N;
  void* data = nullptr;
  Args(napi_env env, napi_callback_info info) { napi_get_cb_info(env, info, &count, value, nullptr, &data); }
  napi_value operator[](size_t i) const { return value[i]; }
};

inline int32_t to_int32(napi_env env, napi_value v) {
  int32_t r = 0;
  napi_get_value_int32(env, v, &r);
  return r;
}
inline uint32_t to_uint32(napi_env env, napi_value v) {
  uint32_t r = 0;
  napi_get_value_uint32(env, v, &r);
  return r;
}
inline int64_t to_int64(napi_env env, napi_value v) {
  int64_t r = 0;
  napi_get_value_int64(env, v, &r);
  return r;
}
inline double to_double(napi_env env, napi_value v) {
  double r = 0;
  napi_get_value_double(env, v, &r);
  return r;
}
inline bool to_bool(napi_env env, napi_value v) {
  bool r = false;
  napi_get_value_bool(env, v, &r);
  return r;
}
/// Whether no JavaScript will run here any more: a worker thread that is being terminated, or whose process exits. Its
/// thread is waited for, so nothing that blocks may outlast this.
inline bool environment_ending(void* env) {
  napi_value yes, also;
  if (napi_get_boolean(static_cast<napi_env>(env), true, &yes) != napi_ok) return true;
  // Of the calls that refuse when JavaScript cannot run, the one with the least effect.
  return napi_coerce_to_bool(static_cast<napi_env>(env), yes, &also) != napi_ok;
}
inline napi_value number(napi_env env, double v) {
  napi_value r;
  napi_create_double(env, v, &r);
  return r;
}
inline napi_value int32(napi_env env, int32_t v) {
  napi_value r;
  napi_create_int32(env, v, &r);
  return r;
}
inline napi_value uint32(napi_env env, uint32_t v) {
  napi_value r;
  napi_create_uint32(env, v, &r);
  return r;
}
inline napi_value bigint(napi_env env, uint64_t v) {
  napi_value r;
  napi_create_bigint_uint64(env, v, &r);
  return r;
}
inline napi_value boolean(napi_env env, bool v) {
  napi_value r;
  napi_get_boolean(env, v, &r);
  return r;
}
inline napi_value null(napi_env env) {
  napi_value r;
  napi_get_null(env, &r);
  return r;
}
inline napi_value string(napi_env env, const char* s) {
  napi_value r;
  napi_create_string_utf8(env, s, NAPI_AUTO_LENGTH, &r);
  return r;
}
inline napi_value object(napi_env env) {
  napi_value r;
  napi_create_object(env, &r);
  return r;
}
inline void set(napi_env env, napi_value target, const char* key, napi_value v) {
  napi_set_named_property(env, target, key, v);
}
inline void add_function(napi_env env, napi_value exports, const char* name, napi_callback callback,
                         void* data = nullptr) {
  napi_value f;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, data, &f);
  napi_set_named_property(env, exports, name, f);
}

/// Throws an Error whose `errno` is the symbolic name and `syscall` the call; src/native/failure.ts turns it into the
/// package's own class with the object's name. Returns nullptr, to be returned at once.
inline napi_value throw_failure(napi_env env, platform::Failure f) {
  char text[256];
  snprintf(text, sizeof text, "%s: %s (%s)", f.syscall, platform::failure_text(f.code),
           platform::failure_name(f.code));
  napi_value message = string(env, text), error;
  napi_create_error(env, nullptr, message, &error);
  set(env, error, "errno", string(env, platform::failure_name(f.code)));
  set(env, error, "syscall", string(env, f.syscall));
  napi_throw(env, error);
  return nullptr;
}

}  // namespace mp::node
