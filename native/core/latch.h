// The latch: keeps the steps on one monitor's fields together (monitor.h). It is held for some hundred nanoseconds and
// never while its owner waits for anything, so nobody hands it over and nobody is told who had it.
//
//   waiters  helper  owner       state
//      0       0       0         free
//      *       0       id        held by the JavaScript thread of a participant, or by who sweeps that participant
//      *       1       id        held by a helper (a waiter thread) of it
//      *       *       id, dead  held by nobody: whoever comes next takes it over and repairs what it protects
//      1       *       0         never: leaving clears all at once
//
// T1  Only who took it leaves it, or who has seen its owner dead and confirmed it.
// T2  Whoever takes it over repairs before anything else: the last owner may have died between any two steps. It does so
//     with the dead one's token in its hands, as who sweeps that one has it: else both would stand in the latch,
//          A  sees it dead                                                   takes the word from it
//          B                   takes its token, sweeps, inherits the latch       … and is still there
// T3  Who parks here watches the owner's token as well, and looks again within 250 ms.
// T4  A participant's JavaScript thread takes no second latch and makes no call out of the core while it has one.
// T5  Nobody takes one in the name of a participant that is ending: to the others that one is dead, whoever acts for it.
//
// Writers  JavaScript (0 → me, me → 0) and this file.
// Order    latch.leave: the release by the owner → the acquire of the next. The monitor's fields travel with it.
// Death    owner: T2. owner between clearing the word and waking: the sleepers watch its token.
#pragma once

#include "core/arena.h"

namespace mp {

inline constexpr uint32_t kHelper = 1u << 30;

/// Who takes a latch: a participant, by its own thread or (kHelper) by a waiter thread.
using LatchOwner = uint32_t;

/// Takes the latch, waiting for as long as somebody alive has it. Not 0: who died with it, repair (T2).
/// `inherits`: the caller sweeps or ends the participant in whose name it acts, and may go on where that one stopped.
OwnerId latch_take(const Arena& arena, Word& latch, LatchOwner as, bool inherits = false);
void latch_leave(Word& latch, LatchOwner as);

}  // namespace mp
