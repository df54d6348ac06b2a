// The lock's slow paths. Hot: raw Node-API, the environment bound to each function, small integers only.
#include "core/lock.h"

#include "core/participants.h"
#include "node/args.h"
#include "node/environment.h"

namespace mp::node {
namespace {

Environment& self(void* data) { return *static_cast<Environment*>(data); }

int64_t deadline_of(double timeout_ms, int64_t now) {
  constexpr double kForever =
      9e15;  // nanoseconds: 104 days; longer waits are cut, and start anew in TypeScript never
  return timeout_ms * 1e6 >= kForever ? INT64_MAX : now + static_cast<int64_t>(timeout_ms * 1e6);
}

// acquireLock(index, timeoutMs) → Outcome. Blocks this thread.
napi_value acquire_lock(napi_env env, napi_callback_info info) {
  Args<2> a(env, info);
  const Arena& arena = process_arena();
  Slot& slot = arena.slot(to_uint32(env, a[0]));
  const OwnerId me = self(a.data).me;
  if (lock_spin(slot, me)) return uint32(env, static_cast<uint32_t>(Outcome::acquired));
  platform::interrupt_watch();  // system calls: only for waits that will sleep
  const int64_t deadline = deadline_of(to_double(env, a[1]), platform::monotonic_now());
  const Outcome outcome =
      lock_acquire(arena, slot, me, deadline, platform::interrupt_word(), environment_ending, env);
  return uint32(env, static_cast<uint32_t>(outcome));
}

// tryLock(index) → Outcome
napi_value try_lock(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Arena& arena = process_arena();
  return uint32(env,
                static_cast<uint32_t>(lock_try(arena, arena.slot(to_uint32(env, a[0])), self(a.data).me)));
}

// releaseLock(index) → whether this environment held it
napi_value release_lock(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Arena& arena = process_arena();
  return boolean(env,
                 lock_release(arena, arena.slot(to_uint32(env, a[0])), self(a.data).me, self(a.data).me));
}

// abandonLock(index): releases what this environment holds, and the next owner is told that it was abandoned
napi_value abandon_lock(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  lock_abandon(process_arena().slot(to_uint32(env, a[0])), self(a.data).me);
  return nullptr;
}

// releaseAnyLock(index) → whether anybody alive held it
napi_value release_any_lock(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Arena& arena = process_arena();
  Slot& slot = arena.slot(to_uint32(env, a[0]));
  for (;;) {
    const OwnerId owner = slot.word.load(std::memory_order_acquire) & kOwnerMask;
    platform::Watch unused;
    // A dead owner's lock counts as free already, and its next owner must hear of the death.
    if (owner == 0 || owner == kAbandoned || owner_dead(arena, owner, &unused)) return boolean(env, false);
    if (lock_release(arena, slot, owner, self(a.data).me)) return boolean(env, true);
  }
}

// waitLock(index, timeoutMs, sinceMs) → wait id; the end comes through onWaitDone
napi_value wait_lock(napi_env env, napi_callback_info info) {
  Args<3> a(env, info);
  Environment& e = self(a.data);
  const int64_t now = platform::monotonic_now();
  uint32_t id;
  const int64_t since = now - static_cast<int64_t>(to_double(env, a[2]) * 1e6);
  if (auto failed = e.waiters.add(process_arena(), to_uint32(env, a[0]), e.me, since,
                                  deadline_of(to_double(env, a[1]), now), &id))
    return throw_failure(env, failed);
  return uint32(env, id);
}

// cancelWait(id) → Outcome: acquired or abandoned if it was too late
napi_value cancel_wait(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  return uint32(env, static_cast<uint32_t>(self(a.data).waiters.cancel(to_uint32(env, a[0]))));
}

// onWaitDone((id, outcome) => void): once, before the first waitLock
napi_value on_wait_done(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  if (auto failed = self(a.data).waiters.start(env, a[0])) return throw_failure(env, failed);
  return nullptr;
}

}  // namespace

void init_lock(napi_env env, napi_value exports) {
  void* e = &environment(env);
  add_function(env, exports, "acquireLock", acquire_lock, e);
  add_function(env, exports, "tryLock", try_lock, e);
  add_function(env, exports, "releaseLock", release_lock, e);
  add_function(env, exports, "releaseAnyLock", release_any_lock, e);
  add_function(env, exports, "abandonLock", abandon_lock, e);
  add_function(env, exports, "waitLock", wait_lock, e);
  add_function(env, exports, "cancelWait", cancel_wait, e);
  add_function(env, exports, "onWaitDone", on_wait_done, e);
}

}  // namespace mp::node
