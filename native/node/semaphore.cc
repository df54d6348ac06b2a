// Semaphores for TypeScript. Hot: raw Node-API, the environment bound to each function, small integers only.
#include "core/semaphore.h"
#include "node/monitor_call.h"

namespace mp::node {
namespace {

// initSemaphore(index, units, bound)
napi_value init_semaphore(napi_env env, napi_callback_info info) {
  Args<3> a(env, info);
  const Place p = place_of(a.data, to_uint32(env, a[0]));
  semaphore_init(monitor_at(p.arena, p.index), to_uint32(env, a[1]), to_uint32(env, a[2]));
  return nullptr;
}

napi_value semaphore_try_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return grant_value(env, c.place, try_and_sweep(c, [&] { return semaphore_try(c.desk); }));
}

// semaphoreEnter(index, seat, spin)
napi_value semaphore_enter_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  if (to_bool(env, c[2]) && semaphore_spin(c.desk)) {
    const Grant got = semaphore_try(c.desk);
    if (got != Grant::waits) return grant_value(env, c.place, got);
  }
  return grant_value(env, c.place, semaphore_enter(c.desk));
}

napi_value semaphore_collect_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return grant_value(env, c.place, semaphore_collect(c.desk));
}

napi_value semaphore_withdraw_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return grant_value(env, c.place, semaphore_withdraw(c.desk));
}

// semaphoreRelease(index, seat, untold?) → false: it had none
napi_value semaphore_release_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return boolean(env, semaphore_release(c.desk, to_bool(env, c[2])));
}

// semaphorePost(index, seat, units) → how many of them were the participant's own; -1: that would be too many
napi_value semaphore_post_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  uint32_t own;
  const bool posted = semaphore_post(c.desk, to_uint32(env, c[2]), &own);
  return number(env, posted ? static_cast<double>(own) : -1);
}

napi_value semaphore_consume_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  semaphore_consume(c.desk);
  return nullptr;
}

}  // namespace

void init_semaphore(napi_env env, napi_value exports) {
  void* e = &environment(env);
  const auto add = [&](const char* function, napi_callback body) {
    add_function(env, exports, function, body, e);
  };
  add("initSemaphore", init_semaphore);
  add("semaphoreTry", semaphore_try_);
  add("semaphoreEnter", semaphore_enter_);
  add("semaphoreCollect", semaphore_collect_);
  add("semaphoreWithdraw", semaphore_withdraw_);
  add("semaphoreRelease", semaphore_release_);
  add("semaphorePost", semaphore_post_);
  add("semaphoreConsume", semaphore_consume_);
}

}  // namespace mp::node
