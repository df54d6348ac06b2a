// A barrier: so many parties wait until all of them have come.
//
//   Seat::hold    bits  63..62     61..40   39..20   19..0
//                       outcome    phase    base     parties
//
//   nothing   its participant has nobody at the barrier
//   arrived   so many of its tasks have come
//   tripped   all have come: its tasks have the indices base, base + 1, …
//   broken    they wait in vain
//
//   mode       arrived fields
//   filling    some have come, not all
//   acting     all have come; `actor` runs the action, and then trips. Newcomers wait outside
//   tripping   being tripped, seat by seat; whoever repairs goes on
//   resetting  being emptied, seat by seat; whoever repairs goes on
//   broken     until it is reset
//
// B1  arrived is the sum of all seats' arrived tasks. A participant that dies is not counted: others may come in its place.
// B2  A phase ends for all: its seats turn from arrived to tripped, or to broken, and never a part of them for good.
// B3  Indices are given when the barrier trips, so they are distinct even if somebody died after coming.
// B4  If the actor dies the barrier breaks.
#pragma once

#include "core/monitor.h"

namespace mp {

inline constexpr uint32_t kPartiesMax = (1u << 20) - 1;
inline constexpr uint32_t kBarrierActs = 1u << 31;  // in detail, beside the parties: there is an action

enum BarrierMode : uint32_t { kFilling, kActing, kTripping, kResetting, kBroken };
struct BarrierFields {
  Word arrived;  // a sum
  Word phase;
  Word mode;
  Word actor;
  uint32_t reserved[2];
};
static_assert(sizeof(BarrierFields) == sizeof(Monitor::field));
inline BarrierFields& barrier_fields(Monitor& m) { return reinterpret_cast<BarrierFields&>(m.field); }

enum class BarrierOutcome : uint32_t { nothing, arrived, tripped, broken };
struct BarrierSeat {
  BarrierOutcome outcome;
  uint32_t phase, base, parties;
};
BarrierSeat barrier_seat(const Seat& seat);

/// What a task that comes is to do.
///   wait     for the bell            collect   it was the last one, the barrier has tripped
///   act      it was the last one: run the action, then barrier_trip with the phase
///   outside  the phase is ending, or there is something to collect: come again when the bell has rung
///   broken   nothing
enum class Arrival : uint32_t { wait, collect, act, outside, broken };
/// One more task has come. Its participant has collected what there was a moment ago.
Arrival barrier_arrive(const Desk& desk, uint32_t* phase);
/// After the action: lets everybody go. False: the barrier was broken or reset meanwhile.
bool barrier_trip(const Desk& desk, uint32_t phase);
/// What has become of this participant's tasks; tripped and broken are said once.
BarrierSeat barrier_collect(const Desk& desk);
/// One task goes away as if it had never come. False: too late, there is something to collect.
bool barrier_withdraw(const Desk& desk);
/// Breaks the barrier for all that wait and all that come, unless `phase` (if not kAnyPhase) is over.
void barrier_break(const Desk& desk, uint32_t phase);
inline constexpr uint32_t kAnyPhase = ~0u;
/// Makes it as new; those who wait do so in vain.
void barrier_reset(const Desk& desk);

/// `dead` is gone; its seats are out.
void barrier_desert(Monitor& monitor, OwnerId dead);
void barrier_settle(const Arena& arena, Monitor& monitor, Latched& latched);

}  // namespace mp
