// Participants: who shares the arena, whether they live, and giving back what the dead held.
#pragma once

#include "core/arena.h"

namespace mp {

struct Identity {
  uint32_t pid;
  uint32_t thread;
  uint32_t environment;
  uint64_t start_time;
  uint64_t pid_namespace = 0;
};

/// Makes the calling thread a participant; never waits for another one. 0: all slots are taken by live ones (EAGAIN), or
/// *failed says what is missing.
/// Sweeps the slot first if its last participant died.
OwnerId participant_enter(const Arena& arena, const Identity& who, platform::Failure* failed);
/// Ends the calling thread's participation: what it holds is given back exactly as if it had died.
void participant_leave(const Arena& arena, OwnerId me);
/// Changes the name others see. Longer ones are cut at a character.
void participant_rename(const Arena& arena, OwnerId me, const char* name);

/// Sweeps every participant that has died. Returns how many.
uint32_t participants_sweep(const Arena& arena);

/// Whether an owner is dead or gone. If not, *watch is the token word and value that change when it dies.
bool owner_dead(const Arena& arena, OwnerId owner, platform::Watch* watch);
/// Returns when an owner that owner_dead found dead, with that token, can no longer write to shared memory.
void death_confirm(const Arena& arena, OwnerId owner, const platform::Watch& token);
/// Keeps sweepers away from a dead participant that has not been swept, until dead_let_go. False: it is not such a one, or
/// somebody else is at it.
bool dead_hold(const Arena& arena, OwnerId dead);
void dead_let_go(const Arena& arena, OwnerId dead);
/// Whether an owner whose token does not say so is dead all the same: its process is no more. For arenas that strangers
/// can write to, where a mark may be lost. False if nothing can be known here (another pid namespace).
bool owner_vanished(const Arena& arena, OwnerId owner);
/// How many live participants wait for a lock right now (P5).
uint32_t lock_waiters(const Arena& arena, const Slot& slot);
/// Whether `me` is who the arena says it is. False where memory was overwritten.
bool participant_stands(const Arena& arena, OwnerId me);
/// Who is behind an id, and under what name. False: that generation is over.
bool participant_info(const Arena& arena, OwnerId owner, Identity* who, char (&name)[kNameBytes]);

}  // namespace mp
