// Readers-writer locks for TypeScript. Hot: raw Node-API, the environment bound to each function, small integers only.
#include "core/rwlock.h"
#include "core/objects.h"
#include "node/monitor_call.h"

namespace mp::node {
namespace {

Environment& self(void* data) { return *static_cast<Environment*>(data); }

// rwlockTry(index, seat, write), rwlockEnter(index, seat, write, spin)
napi_value rwlock_try_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  const bool write = to_bool(env, c[2]);
  return grant_value(env, c.place, try_and_sweep(c, [&] { return rwlock_try(c.desk, write); }));
}

napi_value rwlock_enter_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  const bool write = to_bool(env, c[2]);
  if (to_bool(env, c[3]) && rwlock_spin(c.desk, write)) {
    const Grant got = rwlock_try(c.desk, write);
    if (got != Grant::waits) return grant_value(env, c.place, got);
  }
  return grant_value(env, c.place, rwlock_enter(c.desk, write));
}

napi_value rwlock_collect_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return grant_value(env, c.place, rwlock_collect(c.desk));
}

napi_value rwlock_withdraw_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return grant_value(env, c.place, rwlock_withdraw(c.desk));
}

// rwlockRelease(index, seat, write, untold?) → false: it had none
napi_value rwlock_release_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return boolean(env, rwlock_release(c.desk, to_bool(env, c[2]), to_bool(env, c[3])));
}

napi_value rwlock_steal_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return grant_value(env, c.place, rwlock_steal(c.desk));
}

// rwlockStolen(index, seat) → how often this seat was stolen from
napi_value rwlock_stolen(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return uint32(env, c.desk.seat.notified.load(std::memory_order_acquire));
}

// rwlockRetire(index, seat) → false: others have it open. True: it is marked as gone, and its name is to be taken away.
napi_value rwlock_retire_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return boolean(env, rwlock_retire(c.desk));
}

// rwlockGone(index, seat) → whether its last user has marked it so
napi_value rwlock_gone_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return boolean(env, rwlock_gone(c.desk));
}

// watchStolen(index, seat) → wait id: rings with the bell from now on; does not keep the loop alive
napi_value watch_stolen(napi_env env, napi_callback_info info) {
  Call c(env, info);
  Word& bell = c.desk.seat.bell;
  const BellTask task{{c.desk.arena, c.desk.index, bell, bell.load(), c.desk.me}, kRWLock, nullptr};
  uint32_t id;
  if (auto failed = self(c.data).waiters.add(task, INT64_MAX, &id, false)) return throw_failure(env, failed);
  return uint32(env, id);
}

}  // namespace

void init_rwlock(napi_env env, napi_value exports) {
  void* e = &environment(env);
  const auto add = [&](const char* function, napi_callback body) {
    add_function(env, exports, function, body, e);
  };
  add("rwlockTry", rwlock_try_);
  add("rwlockEnter", rwlock_enter_);
  add("rwlockCollect", rwlock_collect_);
  add("rwlockWithdraw", rwlock_withdraw_);
  add("rwlockRelease", rwlock_release_);
  add("rwlockSteal", rwlock_steal_);
  add("rwlockRetire", rwlock_retire_);
  add("rwlockGone", rwlock_gone_);
  add("watchStolen", watch_stolen);
  add("rwlockStolen", rwlock_stolen);
}

}  // namespace mp::node
