// What every exploration stands on: one arena, cleaned between two seeds, and a keeper outside of all coroutines.
#pragma once

#include "core/blocks.h"
#include "core/lock.h"
#include "core/objects.h"
#include "core/participants.h"
#include "fake/scheduler.h"

namespace mp::fake {

inline Arena arena;
inline OwnerId keeper;

void ground_prepare();                   // once
void ground_clean();                     // before each seed: an arena in which only the keeper lives
void ground_clean_named(uint32_t kind);  // the same of a named object's arena, with a fresh one in slot 0
uint32_t ground_new(uint32_t kind);      // an object of the keeper's

/// A participant as a coroutine enters it.
inline OwnerId enter() {
  platform::Failure failed;
  const OwnerId me = participant_enter(arena, {static_cast<uint32_t>(self()), 0, 0, 0}, &failed);
  if (me == 0) fail("cannot enter");
  return me;
}

/// The seeds [from, from + count) that the command line asks for: count, then from (1).
struct Range {
  uint64_t from, count;
};
Range seeds(int argc, char** argv, uint64_t default_count);

/// A world whose pace, stalls and deaths follow from the seed.
World world_of(uint64_t seed, bool deaths);

}  // namespace mp::fake
