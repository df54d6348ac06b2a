// A readers-writer lock: many readers or one writer.
//
//   Seat::hold    bits  63..32   31..30                           29             28       27..0
//                       0        0 | waits | granted | told       wants write    writes   its reads
//
// R1  readers is the sum of all seats' reads, writer the owner of the seat that writes, or 0.
// R2  A reader gets in if nobody writes and nobody waits: so a writer waits for those that are in, and for no later ones.
// R3  Those who wait get in by the order of their tickets; readers that stand one behind the other get in together.
// R4  A writer that dies leaves `died`: readers are told until a writer has been told, whose business it then is.
// R5  Who steals (Web Locks) takes everybody's reads and writes away, and gets in before all who wait. Who was stolen from
//     hears its bell, and finds `notified` grown.
// R6  A named one that is to be deleted with its last user is marked `gone` by that one, when nobody else has it open; the
//     name is taken away after that. Who opens it looks there when it has become a participant: so it is either seen by
//     who wants to mark it, or sees the mark, takes the name away itself and opens what comes to have it then.
#pragma once

#include "core/monitor.h"

namespace mp {

struct RWLockFields {
  Word readers;  // a sum
  Word writer;   // follows from the seats
  Word died;
  Word gone;  // R6
  uint32_t reserved[2];
};
static_assert(sizeof(RWLockFields) == sizeof(Monitor::field));
inline RWLockFields& rwlock_fields(Monitor& m) { return reinterpret_cast<RWLockFields&>(m.field); }

inline constexpr uint32_t kWantsWrite = 1u << 29, kWrites = 1u << 28, kReadsMax = kWrites - 1;

/// Gets in if that is possible at once; never waits.
Grant rwlock_try(const Desk& desk, bool write);
/// Waits a short while, spinning and yielding, for room that nobody waits for. True: there was some a moment ago.
bool rwlock_spin(const Desk& desk, bool write);
/// Tries, or stands in line: the bell rings when it is in.
Grant rwlock_enter(const Desk& desk, bool write);
/// Looks whether the seat in line has got in, and if so, says so once.
Grant rwlock_collect(const Desk& desk);
/// Leaves the line. Not `waits`: too late, it is in.
Grant rwlock_withdraw(const Desk& desk);
/// By a waiter thread: who got in and does not collect it makes room for others that wait, and stands in line again.
bool rwlock_pass_on(const Desk& desk);
/// Gives back a read, or the write. False: it has none (any more). `untold` as in semaphore_release.
bool rwlock_release(const Desk& desk, bool write, bool untold = false);
/// R5.
Grant rwlock_steal(const Desk& desk);

/// R6. False: somebody else has it open.
bool rwlock_retire(const Desk& desk);
bool rwlock_gone(const Desk& desk);

void rwlock_mourn(Monitor& monitor, Seat& seat);
void rwlock_settle(const Arena& arena, Monitor& monitor, Latched& latched);

}  // namespace mp
