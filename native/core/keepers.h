// Keepers: what is under way keeps its objects alive, although whoever sent it may be dead by now.
//
// A reference is one bit of a participant (objects.h), and a queue is none. So a queue or pipe that messages with shared
// objects go through gets a keeper: a row of bits like a participant's.
//
//   object    0: free      slot | generation << 32: the queue or pipe whose messages the bits are for
//   changer   0, or the participant that is giving the keeper away, or taking it back
//   regions   bit r: page r of the bitmap is reserved; only grows
//
// K1  `object` changes only by who has `changer`: by compare-and-swap from 0. What a dead one has, its sweeper goes on with,
//     in its name: nobody else takes it, for two could stand in it then (T2 of latch.h), and one that is ending looks dead.
// K2  A bit is set and cleared by who has the latch (queue) or lock (pipe) of that object, or, once the object is freed, by
//     who has `changer`.
// K3  A bit is set before a message that needs it can be received, and cleared when its receiver holds the object itself
//     and no other message in the ring needs it. A death in between leaves bits that nothing needs: whoever next has the
//     latch counts anew (queue.h, Q5).
// K4  A bit counts for objects.h whatever becomes of `object`. Whoever frees a queue or pipe empties its keeper; should it
//     die meanwhile, who sweeps it goes on.
// K5  An object's own keeper does not keep it: a queue that lies in itself, and that nobody else has, can be reached by nobody.
#pragma once

#include "core/arena.h"

namespace mp {

/// Gives the object a keeper, or finds the one it has: never 0. ENOSPC: there are too many.
platform::Failure keeper_take(const Arena& arena, OwnerId me, uint32_t index, uint32_t* number);
/// Keeps an object that the caller holds.
platform::Failure keeper_set(const Arena& arena, uint32_t number, uint32_t index);
/// Keeps it no longer; the caller holds it.
inline void keeper_clear(const Arena& arena, uint32_t number, uint32_t index) {
  if (number >= kKeeperMax || index >= kSlotMax) return;  // the number comes from a ring (R2 of ring.h)
  arena.keeper_cell(number, index).fetch_and(~holder_bit(index), std::memory_order_seq_cst);
}
/// Whether any keeper has it.
bool keepers_hold(const Arena& arena, uint32_t index);
/// Clears all bits but those for which needed(index) says true, and frees what nobody holds. `holder_slot` as in object_close.
template <class F>
void keeper_retain(const Arena& arena, uint32_t holder_slot, uint32_t number, F needed);
/// Empties the keepers of objects that are no more. `holder_slot` as in object_close. `inherits`: the caller sweeps or ends
/// that participant, and goes on where it stopped; in the midst of a call of its own nobody does.
void keepers_sweep(const Arena& arena, uint32_t holder_slot, bool inherits = false);

/// Gives back what a keeper has of one object.
void keeper_drop(const Arena& arena, uint32_t holder_slot, uint32_t number, uint32_t index);

template <class F>
void keeper_retain(const Arena& arena, uint32_t holder_slot, uint32_t number, F needed) {
  if (number >= kKeeperMax) return;
  const uint32_t regions = arena.keeper(number).regions.load(std::memory_order_acquire);
  for (uint32_t region = 0; region < 32; region++) {
    if (!(regions & 1u << region)) continue;
    const uint32_t from = region * kSlotsPerRegion;
    for (uint32_t at = from; at < from + kSlotsPerRegion; at += 32) {
      const uint32_t bits = arena.keeper_cell(number, at).load(std::memory_order_acquire);
      for (uint32_t bit = 0; bit < 32 && bits >> bit; bit++)
        if (bits >> bit & 1 && !needed(at + bit)) keeper_drop(arena, holder_slot, number, at + bit);
    }
  }
}

}  // namespace mp
