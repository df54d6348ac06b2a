// Conditions for TypeScript.
#include "core/condition.h"
#include "node/monitor_call.h"

namespace mp::node {
namespace {

// conditionEnter(index, seat) → ticket
napi_value condition_enter_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return uint32(env, condition_enter(c.desk));
}

// conditionGranted(index, seat) → how many tasks are notified and not done
napi_value condition_granted_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return uint32(env, condition_granted(c.desk));
}

// conditionDone(index, seat, notified, oldest) → boolean
napi_value condition_done_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return boolean(env, condition_done(c.desk, to_bool(env, c[2]), to_uint32(env, c[3])));
}

// conditionNotify(index, seat, n) → how many were notified
napi_value condition_notify_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return uint32(env, condition_notify(c.desk, to_uint32(env, c[2])));
}

}  // namespace

void init_condition(napi_env env, napi_value exports) {
  void* e = &environment(env);
  const auto add = [&](const char* function, napi_callback body) {
    add_function(env, exports, function, body, e);
  };
  add("conditionEnter", condition_enter_);
  add("conditionGranted", condition_granted_);
  add("conditionDone", condition_done_);
  add("conditionNotify", condition_notify_);
}

}  // namespace mp::node
