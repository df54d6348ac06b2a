// Explores where participants meet: a condition with a lock, a barrier, or an event; they do whatever the seed says, and
// die wherever it says.
//
// usage: meeting_explore [seeds [first]]

#include <algorithm>

#include "core/barrier.h"
#include "core/condition.h"
#include "core/event.h"
#include "fake/monitors.h"

using namespace mp;
using namespace mp::fake;

namespace {

bool deaths;
uint32_t born, born_at_most;
void (*newcomer)(uint64_t rounds);

struct Sum {
  uint64_t notified, woken, timed_out, late, phases, indices, broken, withdrawn, outside, sets, waits, kills;
} sum;

void death(int) {
  if (born < born_at_most) born++, spawn(newcomer, 3 + random(4));
}

int64_t soon() { return platform::monotonic_now() + (random(3) == 0 ? random(3'000'000) : 400'000'000); }

/// The end of a coroutine: it leaves, or it ends as a thread that never left.
void end(const Desk& d) {
  if (deaths && random(3) == 0) {
    deserted++;
    return;
  }
  if (random(2) == 0) stand_up(d);
  participant_leave(arena, d.me);
}

// ---- A condition: a store of items that a lock guards ----------------------------------------------------------------

uint32_t lock, items;
uint64_t notifies, woken;  // notifies asked for less those that reached nobody; waits that ended by one
uint32_t idle_beside_items;

void check_condition() {
  if (!latch_is_free()) return;
  uint64_t waiting = 0, granted = 0;
  each_seat_now([&](Seat& s) {
    waiting += static_cast<uint32_t>(s.hold.peek());
    granted += s.hold.peek() >> 32;
  });
  if (monitor().waiting.peek() != waiting) fail("waiting is not the number of tasks that wait");
  if (nobody_died() && woken + granted > notifies) fail("C2: notified out of nothing");
}

void condition_idle() {
  check_sleepers();
  check_condition();
  uint64_t waiting = 0, granted = 0;
  each_seat_now([&](Seat& s) {
    waiting += static_cast<uint32_t>(s.hold.peek());
    granted += s.hold.peek() >> 32;
  });
  // Each item since the last one began to wait has notified somebody, who took it or found it taken.
  const bool lost = items > 0 && waiting > 0 && granted == 0 && arena.slot(lock).word.peek() == 0;
  idle_beside_items = lost ? idle_beside_items + 1 : 0;
  if (lost && nobody_died()) fail("C3: a notify is lost, and nobody has died");
  if (idle_beside_items > 20) fail("C3: a notify is lost");
}

void notify(const Desk& d, uint32_t n) {
  notifies += n;  // first: it may die in the middle
  const uint32_t reached = condition_notify(d, n);
  notifies -= n - reached;
  sum.notified += reached;
}

/// As Condition.waitSync: false when the time is up.
bool wait_notified(const Desk& d) {
  Slot& guard = arena.slot(lock);
  const int64_t deadline = soon();
  condition_enter(d);
  if (!lock_release(arena, guard, d.me)) fail("the lock was not ours");
  bool notified = false, in_time = true;
  while (in_time && !notified) {
    in_time = wait_for_bell(d, deadline);
    notified = condition_granted(d) > 0;
    if (in_time && !notified && nobody_died()) fail("rung, and not notified");
  }
  if (lock_acquire(arena, guard, d.me, INT64_MAX, nullptr) == Outcome::abandoned) notify(d, ~0u >> 1);
  if (!notified && condition_granted(d) > 0) notified = true, sum.late++;
  if (!condition_done(d, notified, 0)) {
    // Passed on by a sweeper since we looked: to the next one.
    if (nobody_died() || !condition_done(d, true, 0)) fail("C4: a notify came without the lock");
    notify(d, 1);
  }
  woken += notified;
  sum.woken += notified;
  sum.timed_out += !notified;
  return notified;
}

void visitor(uint64_t rounds) {
  const OwnerId me = enter();
  platform::Failure failed;
  if (!object_open(arena, me, lock, 0, kLock, &failed)) fail("the lock is gone");
  const Desk d = sit_down(me);
  Slot& guard = arena.slot(lock);
  for (uint64_t i = 0; i < rounds; i++) {
    const Outcome got = lock_acquire(arena, guard, me, INT64_MAX, nullptr);
    if (got == Outcome::abandoned) notify(d, ~0u >> 1);  // as one does: the dead one may have been about to
    if (random(2) == 0) {
      items++;
      notify(d, random(8) == 0 ? 2 : 1);
    } else {
      while (items == 0 && wait_notified(d)) {
      }
      if (items > 0) items--;
    }
    check_condition();
    if (!lock_release(arena, guard, me)) fail("the lock was not ours");
    if (random(4) == 0) nap(random(1'000'000));
  }
  end(d);
}

void one_condition(uint64_t seed, World w) {
  w.on_idle = condition_idle;
  begin(w);
  new_world(kCondition, seed);
  lock = ground_new(kLock);
  items = idle_beside_items = 0;
  notifies = woken = 0;
  newcomer = visitor;
  for (uint32_t i = 0, n = 2 + random(4); i < n; i++) spawn(visitor, 4 + random(6));
  run();
  if (nobody_died() && woken != notifies) fail("C3: more were notified than woke");
  // What is passed on may be passed on twice, each time by one that dies itself (C3).
  if (woken > notifies + kills()) fail("C2: notified out of nothing");
  participants_sweep(arena);
  if (monitor().waiting.peek() != 0 || monitor().first_seat.peek() != 0) fail("a seat is left behind");
  object_close(arena, owner_slot(keeper), lock);
}

// ---- A barrier -------------------------------------------------------------------------------------------------------

constexpr uint32_t kPhases = 4096;
uint32_t parties, given[kPhases];  // by phase: a bit for each index

void check_barrier() {
  if (!latch_is_free()) return;
  const BarrierFields& f = barrier_fields(monitor());
  uint32_t arrived = 0;
  each_seat_now([&](Seat& s) {
    const uint64_t hold = s.hold.peek();
    if (static_cast<BarrierOutcome>(hold >> 62) == BarrierOutcome::arrived) arrived += hold & kPartiesMax;
    if (s.since.peek() != 0 && f.mode.peek() != kActing)
      fail("somebody stands outside, and no phase is ending");
  });
  const uint32_t mode = f.mode.peek();
  if (f.arrived.peek() != arrived) fail("B1: arrived is not the number of those that have come");
  if (mode == kTripping || mode == kResetting) fail("B2: a phase that ends is left half way");
  if (mode == kFilling ? arrived >= parties : mode == kBroken ? arrived != 0 : arrived > parties)
    fail("B2: those who have come do not fit the mode");
}

void barrier_idle() {
  check_sleepers();
  check_barrier();
}

/// One participant's tasks at the barrier, as an environment keeps them.
struct Party {
  const Desk& d;
  uint32_t inside = 0, outside = 0;

  void collect() {
    const BarrierSeat b = barrier_collect(d);
    if (b.outcome == BarrierOutcome::nothing || b.outcome == BarrierOutcome::arrived) return;
    if (b.parties != inside) fail("B2: not all tasks of a participant go at once");
    inside = 0;
    if (b.outcome == BarrierOutcome::broken) {
      sum.broken++;
      return;
    }
    for (uint32_t i = b.base; i < b.base + b.parties; i++) {
      uint32_t& bits = given[b.phase % kPhases];
      if (i >= parties || bits & 1u << i) fail("B3: an index is too great, or given twice");
      sum.phases += bits == 0;
      sum.indices++;
      bits |= 1u << i;
    }
  }
  void come() {
    uint32_t phase;
    collect();
    switch (barrier_arrive(d, &phase)) {
      case Arrival::broken:
        if (random(2) == 0) barrier_reset(d);
        return;
      case Arrival::outside:
        sum.outside++;
        outside++;
        return;
      case Arrival::wait:
        inside++;
        return;
      case Arrival::collect:
        inside++;
        return collect();
      case Arrival::act:
        inside++;
        if (random(2) == 0) nap(random(500'000));
        random(6) == 0 ? barrier_break(d, phase) : void(barrier_trip(d, phase));
        return collect();
    }
  }
  void look() {
    collect();
    for (uint32_t n = outside, i = outside = 0; i < n; i++) come();
  }
  void give_up() {
    outside = 0;
    while (random(3) != 0 && inside > 0 && barrier_withdraw(d)) inside--, sum.withdrawn++;
    if (inside == 0) return;
    barrier_break(d, kAnyPhase);
    collect();
    if (inside > 0) fail("B2: broken, and still there");
  }
};

void party(uint64_t rounds) {
  const Desk d = sit_down(enter());
  Party p{d};
  for (uint64_t i = 0; i < rounds; i++) {
    for (uint32_t n = random(3) == 0 ? 2 : 1; n > 0; n--) p.come();
    check_barrier();
    const int64_t deadline = soon();
    while (p.inside + p.outside > 0) {
      const bool in_time = wait_for_bell(d, deadline);
      p.look();
      if (!in_time) p.give_up();
    }
    check_barrier();
    if (random(30) == 0) barrier_reset(d);
  }
  end(d);
}

void one_barrier(uint64_t seed, World w) {
  w.on_idle = barrier_idle;
  begin(w);
  new_world(kBarrier, seed);
  memset(given, 0, sizeof given);
  parties = 2 + random(3);
  monitor().detail = parties | (random(2) == 0 ? kBarrierActs : 0);
  newcomer = party;
  for (uint32_t i = 0, n = parties - 1 + random(3); i < n; i++) spawn(party, 4 + random(6));
  run();
  if (nobody_died())
    for (const uint32_t bits : given)
      if (bits != 0 && bits != (1u << parties) - 1) fail("B3: a phase ended without all its indices");
  participants_sweep(arena);
  check_barrier();
  if (monitor().first_seat.peek() != 0) fail("a seat is left behind");
}

// ---- An event --------------------------------------------------------------------------------------------------------

uint64_t moment, sets_pending, last_set;  // last_set: when the latest set began that changed the word

void passer_by(uint64_t rounds) {
  const OwnerId me = enter();
  platform::Failure failed;
  if (arena.plan->has_objects && !object_open(arena, me, object, 0, kEvent, &failed))
    fail("the event is gone");
  Slot& slot = arena.slot(object);
  for (uint64_t i = 0; i < rounds; i++) {
    const uint32_t what = random(4);
    if (what == 0) {
      const uint64_t begun = ++moment;
      sets_pending++;
      if (event_set(slot)) last_set = std::max(last_set, begun), sum.sets++;
      sets_pending--;
    } else if (what == 1) {
      event_clear(slot);
    } else {
      bool set_may_come = sets_pending > 0;
      const uint64_t before = moment;
      const uint32_t from = event_word(slot).load();
      const uint64_t since = ++moment;
      if (event_set_in(from)) continue;
      const bool rung = wait_for(event_wait(arena, object, from, me), soon());
      sum.waits++;
      set_may_come |= moment > before + 1;
      if (rung && !set_may_come && nobody_died()) fail("E1: woken, and nobody has set it");
      if (!rung && last_set > since) fail("E1: set, and who waited was not woken");
    }
  }
  if (!deaths || random(3) != 0)
    participant_leave(arena, me);
  else
    deserted++;
}

void one_event(uint64_t seed, World w) {
  w.on_idle = check_sleepers;
  begin(w);
  new_world(kEvent, seed);
  moment = sets_pending = last_set = 0;
  newcomer = passer_by;
  for (uint32_t i = 0, n = 2 + random(4); i < n; i++) spawn(passer_by, 8 + random(20));
  run();
  participants_sweep(arena);
}

void one(uint64_t seed) {
  deaths = seed % 2 == 1;
  born = deserted = 0;
  born_at_most = 8;
  World w = world_of(seed, deaths);
  w.on_death = death;
  const uint64_t kind = seed / 4 % 5;
  kind < 2 ? one_condition(seed, w) : kind < 4 ? one_barrier(seed, w) : one_event(seed, w);
  sum.kills += kills();
  if (is_monitor(monitor_kind(arena, object)) && !latch_is_free()) fail("the latch is left behind");
  check_nothing_left();
}

}  // namespace

int main(int argc, char** argv) {
  ground_prepare();
  const Range r = seeds(argc, argv, 20'000);
  for (uint64_t s = r.from; s < r.from + r.count; s++) one(s);
  const auto n = [](uint64_t v) { return static_cast<unsigned long long>(v); };
  printf(
      "meeting: %llu seeds; %llu notified, %llu woken, %llu timed out, %llu late; %llu phases with %llu "
      "indices, "
      "%llu broken, %llu withdrawn, %llu outside; %llu sets, %llu waits; %llu kills, %llu rescued by the "
      "ceiling\n",
      n(r.count), n(sum.notified), n(sum.woken), n(sum.timed_out), n(sum.late), n(sum.phases), n(sum.indices),
      n(sum.broken), n(sum.withdrawn), n(sum.outside), n(sum.sets), n(sum.waits), n(sum.kills), n(rescued));
}
