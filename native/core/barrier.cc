#include "core/barrier.h"

#include "core/point.h"

namespace mp {
namespace {

using std::memory_order_relaxed;

constexpr uint32_t kPhaseMask = (1u << 22) - 1;

uint32_t get(const Word& word) { return word.load(memory_order_relaxed); }
void set(Word& word, uint32_t value) { word.store(value, memory_order_relaxed); }
void set_seat(Seat& seat, const BarrierSeat& b) {
  seat.hold.store(static_cast<uint64_t>(b.outcome) << 62 | uint64_t{b.phase & kPhaseMask} << 40 |
                      uint64_t{b.base & kPartiesMax} << 20 | (b.parties & kPartiesMax),
                  memory_order_relaxed);
}
uint32_t parties_of(const Monitor& m) { return m.detail & ~kBarrierActs; }

/// Rings for those who have come, and for those who stand outside (`since`).
void ring(Seat& seat, Latched& latched) {
  set(seat.since, 0);
  latched.ring(seat);
}

/// Turns every arrived seat to `outcome` and rings. May be begun again (B2). `self`: a seat whose one task is not asleep, and
/// will look.
void end_phase(const Arena& arena, Monitor& monitor, BarrierOutcome outcome, Latched& latched,
               const Seat* self = nullptr) {
  BarrierFields& f = barrier_fields(monitor);
  const uint32_t phase = get(f.phase) & kPhaseMask;
  uint32_t base = 0;
  if (outcome == BarrierOutcome::tripped) {
    each_seat(arena, monitor, [&](Seat& s) {
      const BarrierSeat b = barrier_seat(s);
      if (b.outcome == BarrierOutcome::tripped && b.phase == phase && base < b.base + b.parties)
        base = b.base + b.parties;
      return true;
    });
  }
  each_seat(arena, monitor, [&](Seat& s) {
    const BarrierSeat b = barrier_seat(s);
    if (b.outcome == BarrierOutcome::arrived) {
      set_seat(s, {outcome, phase, base, b.parties});
      MP_POINT("barrier.seat_turned");
      base += b.parties;
      if (&s != self || b.parties > 1 || get(s.since) != 0)
        ring(s, latched);
      else
        s.bell.fetch_add(1, memory_order_relaxed);  // nobody sleeps by it
    } else if (get(s.since) != 0) {
      ring(s, latched);
    }
    return true;
  });
  set(f.arrived, 0);
  set(monitor.waiting, 0);
}

void new_phase(BarrierFields& f) {
  set(f.phase, (get(f.phase) + 1) & kPhaseMask);
  MP_POINT("barrier.phase_begun");
  set(f.actor, 0);
  set(f.mode, kFilling);
}

void trip(const Arena& arena, Monitor& monitor, Latched& latched, const Seat* self = nullptr) {
  set(barrier_fields(monitor).mode, kTripping);
  MP_POINT("barrier.tripping");
  end_phase(arena, monitor, BarrierOutcome::tripped, latched, self);
  new_phase(barrier_fields(monitor));
}

void break_now(const Arena& arena, Monitor& monitor, Latched& latched) {
  set(barrier_fields(monitor).mode, kBroken);
  MP_POINT("barrier.breaking");
  end_phase(arena, monitor, BarrierOutcome::broken, latched);
}

}  // namespace

BarrierSeat barrier_seat(const Seat& seat) {
  const uint64_t hold = seat.hold.load(memory_order_relaxed);
  return {static_cast<BarrierOutcome>(hold >> 62), static_cast<uint32_t>(hold >> 40) & kPhaseMask,
          static_cast<uint32_t>(hold >> 20) & kPartiesMax, static_cast<uint32_t>(hold) & kPartiesMax};
}

Arrival barrier_arrive(const Desk& desk, uint32_t* phase) {
  Latched latched(desk.arena, desk.index, desk.me);
  Monitor& m = desk.monitor;
  BarrierFields& f = barrier_fields(m);
  *phase = get(f.phase);
  const BarrierSeat b = barrier_seat(desk.seat);
  // Since it collected: its bell has rung and is not heard yet.
  if (b.outcome == BarrierOutcome::tripped || b.outcome == BarrierOutcome::broken) return Arrival::outside;
  set(desk.seat.heard, get(desk.seat.bell));
  if (get(f.mode) == kBroken) return Arrival::broken;
  if (get(f.mode) == kActing) {
    set(desk.seat.since, 1);
    return Arrival::outside;
  }
  set_seat(desk.seat,
           {BarrierOutcome::arrived, *phase, 0, b.outcome == BarrierOutcome::arrived ? b.parties + 1 : 1});
  MP_POINT("barrier.arrived");
  set(f.arrived, get(f.arrived) + 1);
  set(m.waiting, get(f.arrived));
  if (get(f.arrived) < parties_of(m)) return Arrival::wait;
  if (!(m.detail & kBarrierActs)) {
    trip(desk.arena, m, latched, &desk.seat);
    return Arrival::collect;
  }
  set(f.actor, desk.me);
  MP_POINT("barrier.actor_named");
  set(f.mode, kActing);
  MP_POINT("barrier.acting");
  return Arrival::act;
}

bool barrier_trip(const Desk& desk, uint32_t phase) {
  Latched latched(desk.arena, desk.index, desk.me);
  BarrierFields& f = barrier_fields(desk.monitor);
  if (get(f.mode) != kActing || get(f.phase) != phase || get(f.actor) != desk.me) return false;
  trip(desk.arena, desk.monitor, latched);
  return true;
}

BarrierSeat barrier_collect(const Desk& desk) {
  const Latched latched(desk.arena, desk.index, desk.me);
  const BarrierSeat b = barrier_seat(desk.seat);
  set(desk.seat.heard, get(desk.seat.bell));
  if (b.outcome == BarrierOutcome::tripped || b.outcome == BarrierOutcome::broken)
    desk.seat.hold.store(0, memory_order_relaxed);
  return b;
}

bool barrier_withdraw(const Desk& desk) {
  Latched latched(desk.arena, desk.index, desk.me);
  const BarrierSeat b = barrier_seat(desk.seat);
  if (b.outcome != BarrierOutcome::arrived || get(barrier_fields(desk.monitor).mode) != kFilling)
    return false;
  if (b.parties == 1)
    desk.seat.hold.store(0, memory_order_relaxed);
  else
    set_seat(desk.seat, {b.outcome, b.phase, 0, b.parties - 1});
  barrier_settle(desk.arena, desk.monitor, latched);
  return true;
}

void barrier_break(const Desk& desk, uint32_t phase) {
  Latched latched(desk.arena, desk.index, desk.me);
  BarrierFields& f = barrier_fields(desk.monitor);
  if (phase != kAnyPhase && get(f.phase) != phase) return;
  if (get(f.mode) != kBroken) break_now(desk.arena, desk.monitor, latched);
}

void barrier_reset(const Desk& desk) {
  Latched latched(desk.arena, desk.index, desk.me);
  BarrierFields& f = barrier_fields(desk.monitor);
  set(f.mode, kResetting);
  MP_POINT("barrier.resetting");
  end_phase(desk.arena, desk.monitor, BarrierOutcome::broken, latched);
  new_phase(f);
}

void barrier_desert(Monitor& monitor, OwnerId dead) {
  BarrierFields& f = barrier_fields(monitor);
  if (get(f.mode) == kActing && get(f.actor) == dead) set(f.mode, kBroken);  // B4; settled next
}

void barrier_settle(const Arena& arena, Monitor& monitor, Latched& latched) {
  BarrierFields& f = barrier_fields(monitor);
  uint32_t arrived = 0;
  each_seat(arena, monitor, [&](Seat& s) {
    const BarrierSeat b = barrier_seat(s);
    if (b.outcome == BarrierOutcome::arrived) arrived += b.parties;
    return true;
  });
  set(f.arrived, arrived);
  set(monitor.waiting, arrived);
  MP_POINT("barrier.counted");
  switch (get(f.mode)) {
    case kTripping:
      return trip(arena, monitor, latched);
    case kResetting:
      end_phase(arena, monitor, BarrierOutcome::broken, latched);
      return new_phase(f);
    case kBroken:
      return break_now(arena, monitor, latched);
    default:
      return;
  }
}

}  // namespace mp
