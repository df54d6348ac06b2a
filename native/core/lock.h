// The lock: one word, taken and given back by one compare-and-swap, safe against the death of anybody at any step.
//
//   waiters  starving  owner       state
//      0        0      0           free
//      0        0      id          held; nobody is parked
//      1        0      id          held; somebody is parked, or was, or is about to park
//      1        1      id          held; `claim` names a waiter that has waited 1 ms: the next release hands over to it
//      *        0      kAbandoned  free, but the last owner died holding it: whoever takes it next is told
//      *        *      id, dead    its owner died; the next to look takes it over, and is told
//      1        0      0           never: a release clears both at once
//      0        1      *           never
//
//   claim    0: nobody    id: that waiter is starving    kHanding|id: `id` is releasing and hands over right now
//
// L1  A parked waiter implies `waiters`, or a woken waiter on its way to set it again, or the 250 ms ceiling of a park.
// L2  `waiters` with nobody parked is legal; it costs one idle wake.
// L3  Only a live owner, or whoever found the owner dead and confirmed it, changes the owner field of a held lock.
// L4  A hand-over first turns `claim` from grantee to kHanding|releaser, then writes the grantee into the word, then
//     clears `claim`. So a grantee that wants to leave knows whether a hand-over is on its way.
// L5  The owner named in the word is the one to watch: a hand-over names its grantee, so a dead grantee is noticed, by
//     whoever comes or wakes next. Those who slept through a change of owner watch the old one's token: when the new one
//     dies while they all sleep, the ceiling wakes them.
// L6  A participant's claim is gone before its attempt ends: nobody is handed a lock it does not wait for. It makes one
//     attempt at a time for one lock, and none while it holds it. Only the owner itself hands over: while another did, the
//     owner could release, the claimant take the lock and leave, and the owner take it again; then it would be handed on.
// L7  An attempt's waiter bit is set before it first parks and cleared when the attempt ends; nothing depends on it but
//     the count that people see.
//
// Writers  word: JavaScript (0 → me, me → 0) and this file; claim: this file.
// Order    lock.release: the word's release by the owner → the acquire of the next. The critical section travels with it.
// Death    owner: the kernel marks its token, on which every waiter sleeps as well (park on {word, token}).
//          releaser between clearing the word and waking: same: the sleepers still watch its token.
//          somebody who releases for the owner, before waking: the sleepers wake by the ceiling.
//          releaser while handing over: claim says kHanding|dead: anybody resets it; the word still names the dead one.
//          waiter, woken, before it takes the lock: the others wake by the ceiling.
//          taker-over after its compare-and-swap: it is an owner like any other.
// Fairness a newcomer may overtake those who sleep (barging: it is running, they are not) until one of them has waited
//          1 ms; then the next release goes to that one. (The idea of Go's sync.Mutex starvation mode.)
#pragma once

#include "core/arena.h"

namespace mp {

inline constexpr uint32_t kWaiters = 1u << 31;
inline constexpr uint32_t kStarving = 1u << 30;
inline constexpr uint32_t kHanding = 1u << 31;         // in `claim`
inline constexpr OwnerId kAbandoned = owner_id(0, 1);  // slot 0 is never a participant
inline constexpr int64_t kStarvingAfterNs = 1'000'000;
inline constexpr int64_t kParkCeilingNs = 250'000'000;
inline constexpr int64_t kPolledCeilingNs = 5'000'000;  // where deaths wake nobody

enum class Outcome {
  acquired,
  abandoned,
  timed_out,
  interrupted
};  // abandoned: acquired, and the last owner died

/// One attempt to get one lock, over as many steps as it takes. Between two steps the caller sleeps as planned.
struct Contender {
  const Arena& arena;
  Slot& slot;
  OwnerId me;
  int64_t since;         // when the attempt began
  bool claimed = false;  // we are, or were, the starving one
  bool parked = false;   // we have slept: others may still
  bool counted = false;  // our waiter bit is set (L7)
};
/// What to sleep on until the next step.
struct ParkPlan {
  platform::Watch watch[3];
  uint32_t count;
  int64_t wake_at;
};
enum class Step { acquired, abandoned, park };

/// Takes the lock if it is free, abandoned, held by a dead owner, or handed over to us; else says what to sleep on.
Step lock_step(Contender& contender, int64_t now, ParkPlan* plan);
/// Gives the attempt up. True: too late, the lock is ours.
bool lock_withdraw(Contender& contender);

/// Takes the lock if nobody alive has it; never waits. acquired, abandoned or timed_out.
Outcome lock_try(const Arena& arena, Slot& slot, OwnerId me);
/// Takes the lock if it becomes free within a short yield-spin (some 20 µs): most contended waits end here.
bool lock_spin(Slot& slot, OwnerId me);
/// Takes the lock, sleeping until `deadline` at most. `interrupt` may be null. Spin first.
/// `ended(context)` is asked at each wake, the ceiling's included: whether the caller is to give up (interrupted).
Outcome lock_acquire(const Arena& arena, Slot& slot, OwnerId me, int64_t deadline, Word* interrupt,
                     bool (*ended)(void*) = nullptr, void* context = nullptr);
/// Gives up what `me` holds: hands over to who starves, else wakes a waiter. False: `me` does not hold it.
bool lock_release(const Arena& arena, Slot& slot, OwnerId me);
/// Takes from `owner` what it holds, and wakes a waiter. Hands over to nobody (L6). False: `owner` does not hold it.
bool lock_release_for(Slot& slot, OwnerId owner);
/// Marks the lock abandoned if `dead` holds it, and wakes a waiter. For sweeps.
void lock_abandon(Slot& slot, OwnerId dead);

}  // namespace mp
