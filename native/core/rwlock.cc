#include "core/rwlock.h"

#include "core/participants.h"
#include "core/point.h"
#include "core/semaphore.h"

namespace mp {
namespace {

using std::memory_order_relaxed;

uint32_t hold_of(const Seat& seat) { return static_cast<uint32_t>(seat.hold.load(memory_order_relaxed)); }
uint32_t reads_of(const Seat& seat) { return hold_of(seat) & kReadsMax; }
uint32_t state_of(const Seat& seat) { return hold_of(seat) & kSeatState; }
bool writes(const Seat& seat) { return hold_of(seat) & kWrites; }
bool wants_write(const Seat& seat) { return hold_of(seat) & kWantsWrite; }
void set_hold(Seat& seat, uint32_t hold) { seat.hold.store(hold, memory_order_relaxed); }
uint32_t get(const Word& word) { return word.load(memory_order_relaxed); }
void set(Word& word, uint32_t value) { word.store(value, memory_order_relaxed); }

bool room_for(const RWLockFields& f, bool write) {
  return get(f.writer) == 0 && (!write || get(f.readers) == 0);
}

/// Lets a seat in. `granted` and `told` are the states it gets; 0: it keeps its own.
bool let_in(RWLockFields& f, Seat& seat, bool write, uint32_t granted, uint32_t told) {
  const bool died = get(f.died) != 0;
  const uint32_t hold = hold_of(seat), kept = hold & (kWrites | kReadsMax);
  const uint32_t line =
      granted == 0 ? hold & ~(kWrites | kReadsMax) : (died ? told : granted) | (write ? kWantsWrite : 0);
  set_hold(seat, line | (write ? kept | kWrites : kept + 1));
  MP_POINT("rwlock.let_in");
  if (write) {
    set(f.writer, get(seat.owner));
    set(f.died, 0);
  } else {
    set(f.readers, get(f.readers) + 1);
  }
  return died;
}

Grant try_latched(const Desk& desk, bool write) {
  RWLockFields& f = rwlock_fields(desk.monitor);
  if (!room_for(f, write) || get(desk.monitor.waiting) != 0 || reads_of(desk.seat) == kReadsMax)
    return Grant::waits;
  return let_in(f, desk.seat, write, 0, 0) ? Grant::told : Grant::granted;
}

Grant collect_latched(const Desk& desk) {
  const uint32_t state = state_of(desk.seat);
  set(desk.seat.heard, get(desk.seat.bell));
  if (state == kSeatWaits || state == 0) return Grant::waits;
  set_hold(desk.seat, hold_of(desk.seat) & (kWrites | kReadsMax));
  return state == kSeatTold ? Grant::told : Grant::granted;
}

void stand_in_line(const Desk& desk, bool write) {
  Monitor& m = desk.monitor;
  set(desk.seat.ticket, get(m.ticket));
  set(m.ticket, get(m.ticket) + 1);
  set(desk.seat.heard, get(desk.seat.bell));
  set_hold(desk.seat, (hold_of(desk.seat) & (kWrites | kReadsMax)) | kSeatWaits | (write ? kWantsWrite : 0));
  MP_POINT("rwlock.in_line");
  set(m.waiting, get(m.waiting) + 1);
}

}  // namespace

Grant rwlock_try(const Desk& desk, bool write) {
  const Latched latched(desk.arena, desk.index, desk.me);
  return try_latched(desk, write);
}

bool rwlock_spin(const Desk& desk, bool write) {
  const RWLockFields& f = rwlock_fields(desk.monitor);
  return spin_until([&] { return room_for(f, write) && get(desk.monitor.waiting) == 0; });
}

Grant rwlock_enter(const Desk& desk, bool write) {
  const Latched latched(desk.arena, desk.index, desk.me);
  const Grant got = try_latched(desk, write);
  if (got == Grant::waits) stand_in_line(desk, write);
  return got;
}

Grant rwlock_collect(const Desk& desk) {
  const Latched latched(desk.arena, desk.index, desk.me);
  return collect_latched(desk);
}

Grant rwlock_withdraw(const Desk& desk) {
  Latched latched(desk.arena, desk.index, desk.me);
  const Grant got = collect_latched(desk);
  if (got != Grant::waits || state_of(desk.seat) == 0) return got;
  set_hold(desk.seat, hold_of(desk.seat) & (kWrites | kReadsMax));
  MP_POINT("rwlock.withdrawn");
  rwlock_settle(desk.arena, desk.monitor, latched);  // readers may have stood behind a writer that gives up
  return Grant::waits;
}

bool rwlock_pass_on(const Desk& desk) {
  Latched latched(desk.arena, desk.index, desk.me | kHelper);
  const uint32_t state = state_of(desk.seat), hold = hold_of(desk.seat) & (kWrites | kReadsMax);
  if ((state != kSeatGranted && state != kSeatTold) || get(desk.monitor.waiting) == 0) return false;
  const bool write = wants_write(desk.seat);
  if (write ? !(hold & kWrites) : (hold & kReadsMax) == 0) return false;  // stolen
  if (state == kSeatTold) set(rwlock_fields(desk.monitor).died, 1);
  set_hold(desk.seat, write ? hold & ~kWrites : hold - 1);
  MP_POINT("rwlock.passed_on");
  stand_in_line(desk, write);
  rwlock_settle(desk.arena, desk.monitor, latched);
  return true;
}

bool rwlock_release(const Desk& desk, bool write, bool untold) {
  Latched latched(desk.arena, desk.index, desk.me);
  const uint32_t hold = hold_of(desk.seat);
  if (write ? !writes(desk.seat) : reads_of(desk.seat) == 0) return false;
  RWLockFields& f = rwlock_fields(desk.monitor);
  if (untold) set(f.died, 1);
  set_hold(desk.seat, write ? hold & ~kWrites : hold - 1);
  MP_POINT("rwlock.released");
  if (write)
    set(f.writer, 0);
  else
    set(f.readers, get(f.readers) - 1);
  if (get(desk.monitor.waiting) != 0) rwlock_settle(desk.arena, desk.monitor, latched);
  return true;
}

Grant rwlock_steal(const Desk& desk) {
  Latched latched(desk.arena, desk.index, desk.me);
  RWLockFields& f = rwlock_fields(desk.monitor);
  each_seat(desk.arena, desk.monitor, [&](Seat& s) {
    const uint32_t hold = hold_of(s);
    if (!(hold & (kWrites | kReadsMax))) return true;
    set(s.notified, get(s.notified) + 1);
    set_hold(s, hold & ~(kWrites | kReadsMax));
    MP_POINT("rwlock.stolen");
    latched.ring(s);  // also our own: other tasks of this participant may have had it
    return true;
  });
  set(f.readers, 0);
  set(f.writer, 0);
  return let_in(f, desk.seat, true, 0, 0) ? Grant::told : Grant::granted;
}

bool rwlock_retire(const Desk& desk) {
  const Latched latched(desk.arena, desk.index, desk.me);
  uint32_t high = desk.arena.header().participant_high.load(std::memory_order_acquire);
  if (high >= desk.arena.plan->participant_max) high = desk.arena.plan->participant_max - 1;
  for (uint32_t s = 1; s <= high; s++) {
    const uint32_t state = desk.arena.participant(s).state.load(std::memory_order_seq_cst);
    platform::Watch unused;
    if (s != owner_slot(desk.me) && state & kLive &&
        !owner_dead(desk.arena, owner_id(s, state >> 1), &unused))
      return false;
  }
  set(rwlock_fields(desk.monitor).gone, 1);
  MP_POINT("rwlock.retired");
  return true;
}

bool rwlock_gone(const Desk& desk) {
  const Latched latched(desk.arena, desk.index, desk.me);
  return get(rwlock_fields(desk.monitor).gone) != 0;
}

void rwlock_mourn(Monitor& monitor, Seat& seat) {
  const uint32_t state = state_of(seat);
  // Let in as a writer, and never knew of it: nothing was written.
  if (writes(seat) && state != kSeatGranted) set(rwlock_fields(monitor).died, 1);
}

void rwlock_settle(const Arena& arena, Monitor& monitor, Latched& latched) {
  RWLockFields& f = rwlock_fields(monitor);
  uint32_t readers = 0, writer = 0, waiting = 0;
  each_seat(arena, monitor, [&](Seat& s) {
    readers += reads_of(s);
    if (writes(s)) writer = get(s.owner);
    waiting += state_of(s) == kSeatWaits ? 1 : 0;
    return true;
  });
  set(f.readers, readers);
  set(f.writer, writer);
  set(monitor.waiting, waiting);
  MP_POINT("rwlock.counted");
  while (get(monitor.waiting) > 0) {
    Seat* next = next_waiting(arena, monitor, [](Seat& s) { return state_of(s) == kSeatWaits; });
    if (next == nullptr || !room_for(f, wants_write(*next))) return;
    let_in(f, *next, wants_write(*next), kSeatGranted, kSeatTold);
    set(monitor.waiting, get(monitor.waiting) - 1);
    MP_POINT("rwlock.granted");
    latched.ring(*next);
  }
}

}  // namespace mp
