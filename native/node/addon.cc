// The addon's entry: each area adds its functions to the exports of the environment that loads it.
#include <node_api.h>

#include "platform/platform.h"

namespace mp::node {
void init_arena(napi_env env, napi_value exports);
void init_blocks(napi_env env, napi_value exports);
void init_lock(napi_env env, napi_value exports);
void init_monitors(napi_env env, napi_value exports);
void init_barrier(napi_env env, napi_value exports);
void init_condition(napi_env env, napi_value exports);
void init_event(napi_env env, napi_value exports);
void init_parcels(napi_env env, napi_value exports);
void init_queue(napi_env env, napi_value exports);
void init_rwlock(napi_env env, napi_value exports);
void init_semaphore(napi_env env, napi_value exports);
void init_named_locks(napi_env env, napi_value exports);
void init_process(napi_env env, napi_value exports);
void init_segments(napi_env env, napi_value exports);
void init_sockets(napi_env env, napi_value exports);
}  // namespace mp::node

NAPI_MODULE_INIT() {
  mp::platform::stay_loaded();
  mp::node::init_arena(env, exports);
  mp::node::init_blocks(env, exports);
  mp::node::init_lock(env, exports);
  mp::node::init_monitors(env, exports);
  mp::node::init_barrier(env, exports);
  mp::node::init_condition(env, exports);
  mp::node::init_event(env, exports);
  mp::node::init_parcels(env, exports);
  mp::node::init_queue(env, exports);
  mp::node::init_rwlock(env, exports);
  mp::node::init_semaphore(env, exports);
  mp::node::init_named_locks(env, exports);
  mp::node::init_process(env, exports);
  mp::node::init_segments(env, exports);
  mp::node::init_sockets(env, exports);
  return exports;
}
