// A semaphore: so many units, each in the hands of a participant that will give it back, or of nobody.
//
//   Seat::hold    bits  63..32   31..30                           29..0
//                       0        0 | waits | granted | told       the units its participant holds
//
// S1  available = total - the units of all seats. It is a sum: see M2.
// S2  A seat that waits is granted a unit by one store that also adds the unit, so that a death on either side loses none.
// S3  A unit whose holder died comes back, and the next one that gets a unit is told (`died` counts them).
// S4  A unit that is consumed for good leaves the total first, then the seat: a death in between does the same.
// S5  With a bound, total never exceeds it; who posts without holding a unit gives back what was consumed, or else
//     another participant's unit: which one makes no difference to the count.
//
// Fairness  units go to those who wait in the order of their tickets; nobody takes one past them.
#pragma once

#include "core/monitor.h"

namespace mp {

inline constexpr uint32_t kUnitsMax = (1u << 30) - 1;
inline constexpr uint32_t kSeatState = 3u << 30;
inline constexpr uint32_t kSeatWaits = 1u << 30, kSeatGranted = 2u << 30, kSeatTold = 3u << 30;

struct SemaphoreFields {
  Word available;  // a sum
  Word total;      // held ones included
  Word died;       // units whose holders died and that nobody has had since
  Word bound;      // the greatest total and 1; 0: none
  uint32_t reserved[2];
};
static_assert(sizeof(SemaphoreFields) == sizeof(Monitor::field));
inline SemaphoreFields& semaphore_fields(Monitor& m) { return reinterpret_cast<SemaphoreFields&>(m.field); }

/// Fills in a fresh semaphore, before anybody else knows it. `bound` as in SemaphoreFields.
void semaphore_init(Monitor& monitor, uint32_t units, uint32_t bound);

/// Takes a unit if there is one and nobody waits; never waits.
Grant semaphore_try(const Desk& desk);
/// Waits a short while, spinning and yielding, for a unit that nobody waits for. True: there was one a moment ago.
bool semaphore_spin(const Desk& desk);
/// Tries, or stands in line: the bell rings when a unit is granted.
Grant semaphore_enter(const Desk& desk);
/// Looks whether the seat in line has been granted a unit, and if so, says so once.
Grant semaphore_collect(const Desk& desk);
/// Leaves the line. Not `waits`: too late, a unit was granted.
Grant semaphore_withdraw(const Desk& desk);
/// By a waiter thread: a granted unit that is not collected goes to another that waits, and this seat stands in line again.
/// False: nobody else waits, or it was not granted.
bool semaphore_pass_on(const Desk& desk);
/// Gives back one of the participant's own units. False: others have given them back meanwhile. `untold`: a unit that came
/// with news of a death nobody has been told of.
bool semaphore_release(const Desk& desk, bool untold = false);
/// Adds units: the participant's own first, then new ones. False: that would be too many, and nothing happened.
bool semaphore_post(const Desk& desk, uint32_t units, uint32_t* own);
/// Takes one of the participant's units out of circulation (S4).
void semaphore_consume(const Desk& desk);

void semaphore_mourn(Monitor& monitor, Seat& seat);
void semaphore_settle(const Arena& arena, Monitor& monitor, Latched& latched);

}  // namespace mp
