// What the explorations of monitors share: participants with a seat, their waits, and looks that are no steps.
#pragma once

#include "core/bell.h"
#include "core/monitor.h"
#include "fake/ground.h"

namespace mp::fake {

inline uint32_t object;    // the monitor, or the event, of this seed
inline uint32_t deserted;  // threads that ended without leaving
inline uint64_t rescued;   // times that everybody slept beside a bell that had rung, after a death

inline Monitor& monitor() { return monitor_at(arena, object); }
inline bool nobody_died() { return kills() == 0 && deserted == 0; }

/// A clean world with the keeper and the object in it: the tree's arena or, if there are such, half of the time that of a
/// named one.
inline void new_world(uint32_t kind, uint64_t seed) {
  if (seed / 2 % 2 == 1 && kind != kCondition && kind != kBarrier) {
    ground_clean_named(kind);
    object = 0;
  } else {
    ground_clean();
    object = ground_new(kind);
  }
}

/// Opens the object and takes a seat.
inline Desk sit_down(OwnerId me) {
  uint32_t seat = 0;
  platform::Failure failed;
  if (arena.plan->has_objects && me != keeper) {
    const uint64_t header = arena.slot(object).header.peek();
    if (!object_open(arena, me, object, header_generation(header), header_kind(header), &failed))
      fail("the keeper's object is gone");
  }
  if (monitor_join(arena, object, me, &seat)) fail("monitor_join");
  return {arena, object, monitor(),
          arena.plan->has_objects ? seat_at(arena, seat) : seat_beside(arena, owner_slot(me)), me};
}
inline void stand_up(const Desk& d) {
  monitor_leave(arena, object, d.me,
                static_cast<uint32_t>(reinterpret_cast<Slot*>(&d.seat) - &arena.slot(0)));
}

/// Waits for the seat's bell as a blocked thread does, or as a waiter thread. False: the time is up.
inline bool wait_for(const BellWait& wait, int64_t deadline) {
  const OwnerId me = wait.me;
  if (random(8) == 0) return bell_wait(wait, deadline, nullptr) == Outcome::acquired;
  for (bool parked = false;; parked = true) {
    if (parked && !bell_rung(wait)) bell_sweep(wait, me | kHelper);
    platform::Watch watch[3 + kPeersMax], peers[kPeersMax];
    const uint32_t peer_count = bell_peers(wait, peers);
    bell_expect(wait);
    if (bell_rung(wait)) return true;
    const int64_t now = platform::monotonic_now();
    if (now >= deadline) return false;
    uint32_t count = 0;
    watch[count++] = {&wait.word, wait.value};
    for (const platform::Watch& w : wait.also)
      if (w.word != nullptr) watch[count++] = w;
    for (uint32_t i = 0; i < peer_count; i++) watch[count++] = peers[i];
    platform::park(watch, count, now + kParkCeilingNs < deadline ? now + kParkCeilingNs : deadline);
  }
}
inline bool wait_for_bell(const Desk& d, int64_t deadline) {
  return wait_for({arena, object, d.seat.bell, d.seat.heard.load(std::memory_order_relaxed), d.me}, deadline);
}

/// Calls f(Seat&) with each seat, as it is now: not a step.
template <class F>
void each_seat_now(F f) {
  if (arena.plan->has_objects) {
    for (uint32_t i = monitor().first_seat.peek(); i != 0; i = seat_at(arena, i).next.peek())
      f(seat_at(arena, i));
    return;
  }
  for (uint32_t s = 1; s <= arena.header().participant_high.peek(); s++)
    if (seat_beside(arena, s).owner.peek() != 0) f(seat_beside(arena, s));
}
inline bool latch_is_free() { return (monitor().latch.peek() & ~kWaiters) == 0; }

/// With nobody able to run: a bell that has rung wakes whom it is for, at once unless somebody died.
inline void check_sleepers() {
  Parked p[64];
  const uint32_t n = parked(p, 64);
  for (uint32_t i = 0; i < n; i++) {
    if (p[i].count == 0 || p[i].watches[0].word->peek() == p[i].watches[0].value) continue;
    if (nobody_died()) fail("asleep beside a bell that has rung, and nobody has died");
    rescued++;
  }
}

/// Everybody has gone: nothing is left of them, and the keeper lets go of the object.
inline void check_nothing_left() {
  if (arena.plan->has_objects) {
    object_close(arena, owner_slot(keeper), object);
    for (uint32_t i = 1; i < kSlotsPerChunk; i++)
      if (header_kind(arena.slot(i).header.peek()) != kFree) fail("a slot is left behind");
    return;
  }
  participant_leave(arena, keeper);
  for (uint32_t s = 1; s <= arena.header().participant_high.peek(); s++)
    if (seat_beside(arena, s).owner.peek() != 0) fail("a seat is left behind");
}

}  // namespace mp::fake
