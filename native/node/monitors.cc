// Semaphores, readers-writer locks, conditions, barriers and events for TypeScript. Hot: raw Node-API, the environment bound
// to each function, small integers only.
//
// An index is that of an object, or of a named lock that is open here; a seat is that of the object, and is ignored where
// the seat lies beside the participant.
#include "core/barrier.h"
#include "core/bell.h"
#include "core/condition.h"
#include "core/event.h"
#include "core/objects.h"
#include "core/participants.h"
#include "core/rwlock.h"
#include "core/semaphore.h"
#include "node/args.h"
#include "node/environment.h"

namespace mp::node {
namespace {

Environment& self(void* data) { return *static_cast<Environment*>(data); }

/// What answers 0, 1 or 2 answers this where others have damaged the memory.
constexpr uint32_t kDamagedGrant = 5;

struct Place {
  const Arena& arena;
  uint32_t index;
  OwnerId me;
  const NamedLock* named;

  Slot& slot() const { return arena.slot(index); }
  bool damaged() const { return named != nullptr && !named_lock_intact(*named); }
};
Place place_of(Environment& e, uint32_t index) {
  if (index < kNamedLockBase) return {process_arena(), index, e.me, nullptr};
  const NamedLock* lock = e.named_locks.at(index - kNamedLockBase);
  return {lock->arena, 0, lock->me, lock};
}
Desk desk_of(const Place& p, uint32_t seat) {
  return {p.arena, p.index, monitor_at(p.arena, p.index),
          p.named == nullptr ? seat_at(p.arena, seat) : seat_beside(p.arena, owner_slot(p.me)), p.me};
}

/// What the functions on a monitor have in common: (index, seat, …).
struct Call : Args<4> {
  Place place;
  Desk desk;
  Call(napi_env env, napi_callback_info info)
      : Args<4>(env, info),
        place(place_of(self(data), to_uint32(env, value[0]))),
        desk(desk_of(place, to_uint32(env, value[1]))) {}
};

napi_value grant_value(napi_env env, const Place& place, Grant grant) {
  return uint32(env, place.damaged() ? kDamagedGrant : static_cast<uint32_t>(grant));
}

int64_t deadline_of(double timeout_ms) {
  constexpr double kForever = 9e15;  // nanoseconds: 104 days
  return timeout_ms * 1e6 >= kForever ? INT64_MAX
                                      : platform::monotonic_now() + static_cast<int64_t>(timeout_ms * 1e6);
}

// ---- Seats ---------------------------------------------------------------------------------------------------------------

// joinMonitor(index) → seat
napi_value join_monitor(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Place p = place_of(self(a.data), to_uint32(env, a[0]));
  uint32_t seat;
  if (auto failed = monitor_join(p.arena, p.index, p.me, &seat)) return throw_failure(env, failed);
  return uint32(env, seat);
}

// leaveMonitor(index, seat)
napi_value leave_monitor(napi_env env, napi_callback_info info) {
  Args<2> a(env, info);
  const Place p = place_of(self(a.data), to_uint32(env, a[0]));
  monitor_leave(p.arena, p.index, p.me, to_uint32(env, a[1]));
  return nullptr;
}

// leaveLatch(index): what JavaScript could not leave by a compare-and-swap, because somebody waits for it
napi_value leave_latch(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Place p = place_of(self(a.data), to_uint32(env, a[0]));
  latch_leave(monitor_at(p.arena, p.index).latch, p.me);
  return nullptr;
}

// monitorFields(index) → [waiting, field 0 … 5, detail]: of the kind; a glance, not a snapshot
napi_value monitor_fields(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Place p = place_of(self(a.data), to_uint32(env, a[0]));
  return monitor_fields_value(env, monitor_at(p.arena, p.index));
}

// monitorSeats(index) → [{ owner: { pid, environment, name } | null, id, blockedOn, mine, low, high }]: who has a seat, and
// the halves of its hold
napi_value monitor_seats(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Place p = place_of(self(a.data), to_uint32(env, a[0]));
  struct Facts {
    OwnerId owner;
    uint64_t hold, blocked_on;
  };
  std::vector<Facts> seats;
  {
    const Latched latched(p.arena, p.index, p.me);
    each_seat(p.arena, monitor_at(p.arena, p.index), [&](Seat& s) {
      seats.push_back({s.owner.load(std::memory_order_relaxed), s.hold.load(std::memory_order_relaxed),
                       s.blocked_on.load(std::memory_order_seq_cst)});
      return true;
    });
  }
  napi_value list;
  napi_create_array(env, &list);
  uint32_t n = 0;
  for (const Facts& s : seats) {
    platform::Watch unused;
    if (owner_dead(p.arena, s.owner, &unused)) continue;
    napi_value o = seat_value(env, p.arena, s.owner, s.hold, s.owner == p.me);
    set(env, o, "id", uint32(env, s.owner));
    set(env, o, "blockedOn", bigint(env, s.blocked_on));
    napi_set_element(env, list, n++, o);
  }
  return list;
}

// waitBell(index, seat, timeoutMs) → Outcome: waits for the seat's bell, blocking this thread
napi_value wait_bell(napi_env env, napi_callback_info info) {
  Call c(env, info);
  platform::interrupt_watch();
  const BellWait wait{c.desk.arena, c.desk.index, c.desk.seat.bell,
                      c.desk.seat.heard.load(std::memory_order_relaxed), c.desk.me};
  const Outcome outcome =
      bell_wait(wait, deadline_of(to_double(env, c[2])), platform::interrupt_word(), environment_ending, env);
  return uint32(env, static_cast<uint32_t>(outcome));
}

// watchBell(index, seat) → wait id; the end comes through onWaitDone
napi_value watch_bell(napi_env env, napi_callback_info info) {
  Call c(env, info);
  const BellTask task{{c.desk.arena, c.desk.index, c.desk.seat.bell,
                       c.desk.seat.heard.load(std::memory_order_relaxed), c.desk.me},
                      monitor_kind(c.desk.arena, c.desk.index),
                      &c.desk.seat};
  uint32_t id;
  if (auto failed = self(c.data).waiters.add(task, INT64_MAX, &id)) return throw_failure(env, failed);
  return uint32(env, id);
}

// ---- Semaphore -----------------------------------------------------------------------------------------------------------

// initSemaphore(index, units, bound)
napi_value init_semaphore(napi_env env, napi_callback_info info) {
  Args<3> a(env, info);
  const Place p = place_of(self(a.data), to_uint32(env, a[0]));
  semaphore_init(monitor_at(p.arena, p.index), to_uint32(env, a[1]), to_uint32(env, a[2]));
  return nullptr;
}

napi_value semaphore_try_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return grant_value(env, c.place, semaphore_try(c.desk));
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

// ---- RWLock --------------------------------------------------------------------------------------------------------------

// rwlockTry(index, seat, write), rwlockEnter(index, seat, write, spin)
napi_value rwlock_try_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return grant_value(env, c.place, rwlock_try(c.desk, to_bool(env, c[2])));
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

// ---- Condition -----------------------------------------------------------------------------------------------------------

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

// ---- Barrier -------------------------------------------------------------------------------------------------------------

// barrierArrive(index, seat) → Arrival + 8 · phase: one number, which costs a tenth of an array
napi_value barrier_arrive_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  uint32_t phase;
  const Arrival arrival = barrier_arrive(c.desk, &phase);
  return number(env, static_cast<double>(static_cast<uint32_t>(arrival) + 8 * uint64_t{phase}));
}

// barrierTrip(index, seat, phase) → false: broken or reset meanwhile
napi_value barrier_trip_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return boolean(env, barrier_trip(c.desk, to_uint32(env, c[2])));
}

// barrierCollect(index, seat) → BarrierOutcome + 4 · base + 2²² · parties
napi_value barrier_collect_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  const BarrierSeat b = barrier_collect(c.desk);
  static_assert(kPartiesMax < 1u << 20);
  const uint64_t packed =
      static_cast<uint64_t>(b.outcome) | uint64_t{b.base} << 2 | uint64_t{b.parties} << 22;
  return number(env, static_cast<double>(packed));
}

// barrierWithdraw(index, seat) → false: too late
napi_value barrier_withdraw_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return boolean(env, barrier_withdraw(c.desk));
}

// barrierBreak(index, seat, phase or -1 for any)
napi_value barrier_break_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  barrier_break(c.desk, static_cast<uint32_t>(to_int32(env, c[2])));
  return nullptr;
}

// barrierReset(index, seat)
napi_value barrier_reset_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  barrier_reset(c.desk);
  return nullptr;
}

// ---- Event ---------------------------------------------------------------------------------------------------------------

napi_value event_set_(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  return boolean(env, event_set(place_of(self(a.data), to_uint32(env, a[0])).slot()));
}

// eventWake(index): after JavaScript has set it
napi_value event_wake_(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  event_wake(place_of(self(a.data), to_uint32(env, a[0])).slot());
  return nullptr;
}

napi_value event_clear_(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  return boolean(env, event_clear(place_of(self(a.data), to_uint32(env, a[0])).slot()));
}

// eventWord(index) → the word: odd when set
napi_value event_word_(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  return uint32(env, event_word(place_of(self(a.data), to_uint32(env, a[0])).slot()).load());
}

// eventExpect(index) → the word to wait from
napi_value event_expect_(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  return uint32(env, event_expect(place_of(self(a.data), to_uint32(env, a[0])).slot()));
}

// waitEvent(index, word, timeoutMs) → Outcome. Blocks this thread.
napi_value wait_event(napi_env env, napi_callback_info info) {
  Args<3> a(env, info);
  const Place p = place_of(self(a.data), to_uint32(env, a[0]));
  platform::interrupt_watch();
  const BellWait wait{p.arena, p.index, event_word(p.slot()), to_uint32(env, a[1]), p.me};
  return uint32(env, static_cast<uint32_t>(bell_wait(wait, deadline_of(to_double(env, a[2])),
                                                     platform::interrupt_word(), environment_ending, env)));
}

// watchEvent(index, word) → wait id; the end comes through onWaitDone
napi_value watch_event(napi_env env, napi_callback_info info) {
  Args<2> a(env, info);
  const Place p = place_of(self(a.data), to_uint32(env, a[0]));
  const BellTask task{{p.arena, p.index, event_word(p.slot()), to_uint32(env, a[1]), p.me}, kEvent, nullptr};
  uint32_t id;
  if (auto failed = self(a.data).waiters.add(task, INT64_MAX, &id)) return throw_failure(env, failed);
  return uint32(env, id);
}

}  // namespace

napi_value seat_value(napi_env env, const Arena& arena, OwnerId owner, uint64_t hold, bool mine) {
  napi_value o;
  napi_create_object(env, &o);
  set(env, o, "owner", participant_value(env, arena, owner));
  set(env, o, "mine", boolean(env, mine));
  set(env, o, "low", uint32(env, static_cast<uint32_t>(hold)));
  set(env, o, "high", uint32(env, static_cast<uint32_t>(hold >> 32)));
  return o;
}

napi_value monitor_fields_value(napi_env env, const Monitor& m) {
  napi_value list;
  napi_create_array_with_length(env, 8, &list);
  napi_set_element(env, list, 0, uint32(env, m.waiting.load()));
  for (uint32_t i = 0; i < 6; i++) napi_set_element(env, list, 1 + i, uint32(env, m.field[i].load()));
  napi_set_element(env, list, 7, uint32(env, m.detail));
  return list;
}

void init_monitors(napi_env env, napi_value exports) {
  void* e = &environment(env);
  const auto add = [&](const char* name, napi_callback body) { add_function(env, exports, name, body, e); };
  add("joinMonitor", join_monitor);
  add("leaveMonitor", leave_monitor);
  add("leaveLatch", leave_latch);
  add("monitorFields", monitor_fields);
  add("monitorSeats", monitor_seats);
  add("waitBell", wait_bell);
  add("watchBell", watch_bell);
  add("initSemaphore", init_semaphore);
  add("semaphoreTry", semaphore_try_);
  add("semaphoreEnter", semaphore_enter_);
  add("semaphoreCollect", semaphore_collect_);
  add("semaphoreWithdraw", semaphore_withdraw_);
  add("semaphoreRelease", semaphore_release_);
  add("semaphorePost", semaphore_post_);
  add("semaphoreConsume", semaphore_consume_);
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
  add("conditionEnter", condition_enter_);
  add("conditionGranted", condition_granted_);
  add("conditionDone", condition_done_);
  add("conditionNotify", condition_notify_);
  add("barrierArrive", barrier_arrive_);
  add("barrierTrip", barrier_trip_);
  add("barrierCollect", barrier_collect_);
  add("barrierWithdraw", barrier_withdraw_);
  add("barrierBreak", barrier_break_);
  add("barrierReset", barrier_reset_);
  add("eventSet", event_set_);
  add("eventWake", event_wake_);
  add("eventClear", event_clear_);
  add("eventWord", event_word_);
  add("eventExpect", event_expect_);
  add("waitEvent", wait_event);
  add("watchEvent", watch_event);
}

}  // namespace mp::node
