#include "core/condition.h"

#include "core/point.h"

namespace mp {
namespace {

using std::memory_order_relaxed;

uint32_t get(const Word& word) { return word.load(memory_order_relaxed); }
void set(Word& word, uint32_t value) { word.store(value, memory_order_relaxed); }
void set_counts(Seat& seat, uint32_t waiting, uint32_t granted) {
  seat.hold.store(uint64_t{granted} << 32 | waiting, memory_order_relaxed);
}
uint32_t next_ticket(Monitor& m) {
  const uint32_t ticket = get(m.ticket);
  set(m.ticket, ticket + 1);
  return ticket;
}

/// C2. `made`: the ticket of the notify. Of several that the seat has not used the latest counts: one that is passed on may
/// be older than one that came straight, and whoever waits for that one must not be passed over.
void grant(Monitor& monitor, Seat& seat, uint32_t made, Latched& latched) {
  const Waiters64 c = condition_counts(seat);
  if (c.granted == 0 || comes_before(get(seat.notified), made)) set(seat.notified, made);
  set_counts(seat, c.waiting - 1, c.granted + 1);
  MP_POINT("condition.granted");
  set(seat.ticket, next_ticket(monitor));
  set(monitor.waiting, get(monitor.waiting) - 1);
  latched.ring(seat);
}

}  // namespace

uint32_t condition_enter(const Desk& desk) {
  const Latched latched(desk.arena, desk.index, desk.me);
  Seat& seat = desk.seat;
  const Waiters64 c = condition_counts(seat);
  const uint32_t ticket = next_ticket(desk.monitor);
  if (c.waiting == 0) {
    set(seat.since, ticket);
    set(seat.ticket, ticket);
  }
  set(seat.heard, get(seat.bell));
  MP_POINT("condition.ticket_taken");
  set_counts(seat, c.waiting + 1, c.granted);
  MP_POINT("condition.entered");
  set(desk.monitor.waiting, get(desk.monitor.waiting) + 1);
  return ticket;
}

uint32_t condition_granted(const Desk& desk) {
  const Latched latched(desk.arena, desk.index, desk.me);
  set(desk.seat.heard, get(desk.seat.bell));
  return condition_counts(desk.seat).granted;
}

bool condition_done(const Desk& desk, bool notified, uint32_t oldest) {
  const Latched latched(desk.arena, desk.index, desk.me);
  const Waiters64 c = condition_counts(desk.seat);
  if (notified ? c.granted == 0 : c.waiting == 0) return false;
  set(desk.seat.since, oldest);
  set_counts(desk.seat, c.waiting - (notified ? 0 : 1), c.granted - (notified ? 1 : 0));
  MP_POINT("condition.done");
  if (!notified) set(desk.monitor.waiting, get(desk.monitor.waiting) - 1);
  return true;
}

uint32_t condition_notify(const Desk& desk, uint32_t n) {
  Latched latched(desk.arena, desk.index, desk.me);
  uint32_t done = 0;
  const uint32_t made = next_ticket(desk.monitor);
  while (done < n && get(desk.monitor.waiting) > 0) {
    Seat* next =
        next_waiting(desk.arena, desk.monitor, [](Seat& s) { return condition_counts(s).waiting > 0; });
    if (next == nullptr) break;
    grant(desk.monitor, *next, made, latched);
    done++;
  }
  return done;
}

void condition_mourn(const Arena& arena, Monitor& monitor, Seat& dead, Latched& latched) {
  uint32_t granted = condition_counts(dead).granted;
  const uint32_t made = get(dead.notified);
  set_counts(dead, 0, granted);
  for (; granted > 0; granted--) {
    Seat* next = next_waiting(arena, monitor, [made](Seat& s) {
      return condition_counts(s).waiting > 0 && comes_before(get(s.since), made);
    });
    if (next == nullptr) return;
    grant(monitor, *next, made, latched);
    MP_POINT("condition.passed_on");
    set_counts(dead, 0, granted - 1);
  }
}

void condition_settle(const Arena& arena, Monitor& monitor) {
  uint32_t waiting = 0;
  each_seat(arena, monitor, [&](Seat& s) {
    waiting += condition_counts(s).waiting;
    return true;
  });
  set(monitor.waiting, waiting);
  MP_POINT("condition.counted");
}

}  // namespace mp
