// A condition: participants wait, holding a lock of their own, until another that holds it notifies them.
//
//   Seat::hold    bits  63..32    31..0
//                       granted   waiting
//
//   waiting   tasks of the participant that wait and have not been notified
//   granted   tasks that have been notified and have not got their lock back yet
//   since     the ticket of the oldest of its waiting tasks
//   ticket    its turn among the seats; goes to the end with each notify, so that participants take turns
//   notified  the ticket of the latest notify among those in `granted`
//
// C1  A task that waits is counted by one store, before its lock is released; a notify after that finds it.
// C2  A notify moves one task from waiting to granted by one store. It is not remembered if nobody waits, and asks nobody.
// C3  Granted is taken down by the task itself, when it has its lock again (condition_done). Until then a death passes the
//     notify on to somebody who was waiting already when it was made: neither lost nor, to others, out of nothing.
//     (Whoever passes it on and dies between two stores may pass it on twice.)
// C4  Only the holder of the lock notifies and begins or ends to wait; so the lock orders them. The latch keeps the dead
//     one's sweeper out: it alone passes notifies on (C3) without the lock, at any time before condition_done.
#pragma once

#include "core/monitor.h"

namespace mp {

struct Waiters64 {
  uint32_t waiting, granted;
};
inline Waiters64 condition_counts(const Seat& seat) {
  const uint64_t hold = seat.hold.load(std::memory_order_relaxed);
  return {static_cast<uint32_t>(hold), static_cast<uint32_t>(hold >> 32)};
}

/// One more task waits. Returns its ticket. The caller holds the lock.
uint32_t condition_enter(const Desk& desk);
/// How many tasks have been notified and are not done.
uint32_t condition_granted(const Desk& desk);
/// A task ends its wait: `notified` or not. The caller holds the lock. `oldest` is the ticket of the oldest that stays.
/// False: it was to be not notified, but no waiting one is left: all have been notified.
bool condition_done(const Desk& desk, bool notified, uint32_t oldest);
/// Notifies up to n tasks; returns how many. The caller holds the lock.
uint32_t condition_notify(const Desk& desk, uint32_t n);

void condition_mourn(const Arena& arena, Monitor& monitor, Seat& seat, Latched& latched);
void condition_settle(const Arena& arena, Monitor& monitor);

}  // namespace mp
