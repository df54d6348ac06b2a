#include "core/semaphore.h"

#include "core/point.h"

namespace mp {
namespace {

using std::memory_order_relaxed;

uint32_t hold_of(const Seat& seat) { return static_cast<uint32_t>(seat.hold.load(memory_order_relaxed)); }
uint32_t units_of(const Seat& seat) { return hold_of(seat) & kUnitsMax; }
uint32_t state_of(const Seat& seat) { return hold_of(seat) & kSeatState; }
void set_hold(Seat& seat, uint32_t state, uint32_t units) {
  seat.hold.store(state | (units & kUnitsMax), memory_order_relaxed);
}
uint32_t get(const Word& word) { return word.load(memory_order_relaxed); }
void set(Word& word, uint32_t value) { word.store(value, memory_order_relaxed); }

/// Gives the seat a unit that is available (S2). Its state says whether it is told of a death.
bool give(SemaphoreFields& f, Seat& seat, uint32_t granted, uint32_t told) {
  const bool died = get(f.died) > 0;
  set_hold(seat, died ? told : granted, units_of(seat) + 1);
  MP_POINT("semaphore.given");
  set(f.available, get(f.available) - 1);
  if (died) set(f.died, get(f.died) - 1);
  return died;
}

Grant try_latched(const Desk& desk) {
  SemaphoreFields& f = semaphore_fields(desk.monitor);
  if (get(f.available) == 0 || get(desk.monitor.waiting) != 0) return Grant::waits;
  return give(f, desk.seat, 0, 0) ? Grant::told : Grant::granted;
}

Grant collect_latched(const Desk& desk) {
  const uint32_t state = state_of(desk.seat);
  set(desk.seat.heard, get(desk.seat.bell));
  if (state == kSeatWaits || state == 0) return Grant::waits;
  set_hold(desk.seat, 0, units_of(desk.seat));
  return state == kSeatTold ? Grant::told : Grant::granted;
}

void stand_in_line(const Desk& desk) {
  Monitor& m = desk.monitor;
  set(desk.seat.ticket, get(m.ticket));
  set(m.ticket, get(m.ticket) + 1);
  set(desk.seat.heard, get(desk.seat.bell));
  MP_POINT("semaphore.ticket_taken");
  set_hold(desk.seat, kSeatWaits, units_of(desk.seat));
  MP_POINT("semaphore.in_line");
  set(m.waiting, get(m.waiting) + 1);
}

}  // namespace

void semaphore_init(Monitor& monitor, uint32_t units, uint32_t bound) {
  SemaphoreFields& f = semaphore_fields(monitor);
  set(f.available, units);
  set(f.total, units);
  set(f.bound, bound);
}

Grant semaphore_try(const Desk& desk) {
  const Latched latched(desk.arena, desk.index, desk.me);
  return try_latched(desk);
}

bool semaphore_spin(const Desk& desk) {
  const SemaphoreFields& f = semaphore_fields(desk.monitor);
  return spin_until([&] { return get(f.available) > 0 && get(desk.monitor.waiting) == 0; });
}

Grant semaphore_enter(const Desk& desk) {
  const Latched latched(desk.arena, desk.index, desk.me);
  const Grant got = try_latched(desk);
  if (got == Grant::waits) stand_in_line(desk);
  return got;
}

Grant semaphore_collect(const Desk& desk) {
  const Latched latched(desk.arena, desk.index, desk.me);
  return collect_latched(desk);
}

Grant semaphore_withdraw(const Desk& desk) {
  const Latched latched(desk.arena, desk.index, desk.me);
  const Grant got = collect_latched(desk);
  if (got != Grant::waits || state_of(desk.seat) == 0) return got;
  set_hold(desk.seat, 0, units_of(desk.seat));
  MP_POINT("semaphore.withdrawn");
  set(desk.monitor.waiting, get(desk.monitor.waiting) - 1);
  return Grant::waits;
}

bool semaphore_pass_on(const Desk& desk) {
  Latched latched(desk.arena, desk.index, desk.me | kHelper);
  const uint32_t state = state_of(desk.seat), units = units_of(desk.seat);
  if ((state != kSeatGranted && state != kSeatTold) || get(desk.monitor.waiting) == 0 || units == 0)
    return false;
  SemaphoreFields& f = semaphore_fields(desk.monitor);
  if (state == kSeatTold) set(f.died, get(f.died) + 1);
  set_hold(desk.seat, 0, units - 1);
  MP_POINT("semaphore.passed_on");
  stand_in_line(desk);
  semaphore_settle(desk.arena, desk.monitor, latched);
  return true;
}

bool semaphore_release(const Desk& desk, bool untold) {
  Latched latched(desk.arena, desk.index, desk.me);
  const uint32_t units = units_of(desk.seat);
  if (units == 0) return false;
  SemaphoreFields& f = semaphore_fields(desk.monitor);
  if (untold) set(f.died, get(f.died) + 1);
  set_hold(desk.seat, state_of(desk.seat), units - 1);
  MP_POINT("semaphore.released");
  set(f.available, get(f.available) + 1);
  if (get(desk.monitor.waiting) != 0) semaphore_settle(desk.arena, desk.monitor, latched);
  return true;
}

bool semaphore_post(const Desk& desk, uint32_t units, uint32_t* own) {
  Latched latched(desk.arena, desk.index, desk.me);
  SemaphoreFields& f = semaphore_fields(desk.monitor);
  const uint32_t bound = get(f.bound), total = get(f.total);
  // What is granted and not collected is not its holder's to lose: it would not know.
  const auto to_lose = [](const Seat& s) {
    const uint32_t units = units_of(s);
    return units > 0 && state_of(s) >= kSeatGranted ? units - 1 : units;
  };
  const uint32_t mine = to_lose(desk.seat);
  *own = mine < units ? mine : units;
  const uint32_t rest = units - *own;
  uint32_t taken = 0;  // from others (S5)
  if (bound != 0) {
    const uint32_t room = total < bound ? bound - 1 - total : 0;
    taken = rest > room ? rest - room : 0;
    uint64_t others = 0;
    each_seat(desk.arena, desk.monitor, [&](Seat& s) {
      if (&s != &desk.seat) others += to_lose(s);
      return true;
    });
    if (taken > others) return false;
  } else if (rest > INT32_MAX - total) {
    return false;
  }
  set(f.total, total + (rest - taken));
  MP_POINT("semaphore.posted");
  if (*own > 0) set_hold(desk.seat, state_of(desk.seat), units_of(desk.seat) - *own);
  each_seat(desk.arena, desk.monitor, [&](Seat& s) {
    if (&s == &desk.seat) return true;
    const uint32_t theirs = to_lose(s), part = theirs < taken ? theirs : taken;
    if (part > 0) set_hold(s, state_of(s), units_of(s) - part);
    taken -= part;
    return taken > 0;
  });
  MP_POINT("semaphore.taken_back");
  semaphore_settle(desk.arena, desk.monitor, latched);
  return true;
}

void semaphore_consume(const Desk& desk) {
  const Latched latched(desk.arena, desk.index, desk.me);
  SemaphoreFields& f = semaphore_fields(desk.monitor);
  const uint32_t units = units_of(desk.seat);
  if (units == 0) return;
  set(f.total, get(f.total) - 1);
  MP_POINT("semaphore.consumed");
  set_hold(desk.seat, state_of(desk.seat), units - 1);
}

void semaphore_mourn(Monitor& monitor, Seat& seat) {
  // A unit that was granted and never had is nothing to tell of, unless it came with such news.
  const uint32_t state = state_of(seat), units = units_of(seat);
  const uint32_t had = state == kSeatGranted && units > 0 ? units - 1 : units;
  SemaphoreFields& f = semaphore_fields(monitor);
  set(f.died, get(f.died) + had);
}

void semaphore_settle(const Arena& arena, Monitor& monitor, Latched& latched) {
  SemaphoreFields& f = semaphore_fields(monitor);
  uint64_t held = 0;
  uint32_t waiting = 0;
  each_seat(arena, monitor, [&](Seat& s) {
    held += units_of(s);
    waiting += state_of(s) == kSeatWaits ? 1 : 0;
    return true;
  });
  const uint32_t total = get(f.total);
  set(f.available, held < total ? static_cast<uint32_t>(total - held) : 0);
  set(monitor.waiting, waiting);
  MP_POINT("semaphore.counted");
  while (get(f.available) > 0 && get(monitor.waiting) > 0) {
    Seat* next = next_waiting(arena, monitor, [](Seat& s) { return state_of(s) == kSeatWaits; });
    if (next == nullptr) return;
    give(f, *next, kSeatGranted, kSeatTold);
    set(monitor.waiting, get(monitor.waiting) - 1);
    MP_POINT("semaphore.granted");
    latched.ring(*next);
  }
}

}  // namespace mp
