// The lock's slow paths. Hot: raw Node-API, the environment bound to each function, small integers only.
#include "core/lock.h"

#include "core/participants.h"
#include "node/args.h"
#include "node/place.h"

namespace mp::node {
namespace {

Environment& self(void* data) { return *static_cast<Environment*>(data); }

constexpr uint32_t kDamagedOutcome = 5;  // beside core's and passed_on

/// An outcome for TypeScript. What was taken of a damaged lock is worth nothing (N2): it is given up.
napi_value outcome_value(napi_env env, const Place& lock, Outcome outcome) {
  if (lock.damaged()) {
    if (outcome == Outcome::acquired || outcome == Outcome::abandoned)
      lock_release(lock.arena, lock.slot(), lock.me);
    return uint32(env, kDamagedOutcome);
  }
  return uint32(env, static_cast<uint32_t>(outcome));
}

// acquireLock(index, timeoutMs) → Outcome. Blocks this thread.
napi_value acquire_lock(napi_env env, napi_callback_info info) {
  Args<2> a(env, info);
  const Place l = place_of(a.data, to_uint32(env, a[0]));
  if (lock_spin(l.slot(), l.me)) return outcome_value(env, l, Outcome::acquired);
  platform::interrupt_watch();  // system calls: only for waits that will sleep
  const int64_t deadline = deadline_of(to_double(env, a[1]));
  const Outcome outcome =
      lock_acquire(l.arena, l.slot(), l.me, deadline, platform::interrupt_word(), environment_ending, env);
  return outcome_value(env, l, outcome);
}

// tryLock(index) → Outcome
napi_value try_lock(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Place l = place_of(a.data, to_uint32(env, a[0]));
  return outcome_value(env, l, lock_try(l.arena, l.slot(), l.me));
}

// releaseLock(index) → whether this environment held it
napi_value release_lock(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Place l = place_of(a.data, to_uint32(env, a[0]));
  return boolean(env, lock_release(l.arena, l.slot(), l.me));
}

// abandonLock(index): releases what this environment holds, and the next owner is told that it was abandoned
napi_value abandon_lock(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Place l = place_of(a.data, to_uint32(env, a[0]));
  lock_abandon(l.slot(), l.me);
  return nullptr;
}

// releaseAnyLock(index) → whether anybody alive held it
napi_value release_any_lock(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Place l = place_of(a.data, to_uint32(env, a[0]));
  for (;;) {
    const OwnerId owner = l.slot().word.load(std::memory_order_acquire) & kOwnerMask;
    platform::Watch unused;
    // A dead owner's lock counts as free already, and its next owner must hear of the death.
    if (owner == 0 || owner == kAbandoned || owner_dead(l.arena, owner, &unused)) return boolean(env, false);
    if (lock_release_for(l.slot(), owner)) return boolean(env, true);
  }
}

// lockOwner(index) → { pid, environment, name } of whoever alive holds it, or null
napi_value lock_owner(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Place l = place_of(a.data, to_uint32(env, a[0]));
  return owner_of_lock(env, l.arena, l.slot());
}

// lockWaiters(index) → how many environments wait for it
napi_value lock_waiters_(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Place l = place_of(a.data, to_uint32(env, a[0]));
  return uint32(env, lock_waiters(l.arena, l.slot()));
}

// lockIsMine(index) → whether this environment holds it
napi_value lock_is_mine(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Place l = place_of(a.data, to_uint32(env, a[0]));
  return boolean(env, (l.slot().word.load(std::memory_order_acquire) & kOwnerMask) == l.me);
}

// lockIntact(index) → false: others have damaged its memory
napi_value lock_intact(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Place l = place_of(a.data, to_uint32(env, a[0]));
  return boolean(env, !l.damaged());
}

// waitLock(index, timeoutMs, sinceMs) → wait id; the end comes through onWaitDone
napi_value wait_lock(napi_env env, napi_callback_info info) {
  Args<3> a(env, info);
  Environment& e = self(a.data);
  const int64_t now = platform::monotonic_now();
  uint32_t id;
  const int64_t since = now - static_cast<int64_t>(to_double(env, a[2]) * 1e6);
  const Place l = place_of(a.data, to_uint32(env, a[0]));
  if (auto failed =
          e.waiters.add(Contender{l.arena, l.slot(), l.me, since}, deadline_of(to_double(env, a[1])), &id))
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
  add_function(env, exports, "lockOwner", lock_owner, e);
  add_function(env, exports, "lockWaiters", lock_waiters_, e);
  add_function(env, exports, "lockIsMine", lock_is_mine, e);
  add_function(env, exports, "lockIntact", lock_intact, e);
  add_function(env, exports, "abandonLock", abandon_lock, e);
  add_function(env, exports, "waitLock", wait_lock, e);
  add_function(env, exports, "cancelWait", cancel_wait, e);
  add_function(env, exports, "onWaitDone", on_wait_done, e);
}

}  // namespace mp::node
