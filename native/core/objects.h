// Shared objects: their slots, who holds them, and when a slot is free again.
//
//   header [63..32] turn  [31..8] generation  [7..0] kind
//     kFree         nobody has it; the next creator keeps the generation
//     kSpare        the same of a slot that has an extent of the heap: free for blocks of that class only, see blocks.h
//     kCreating     a creator is filling it in; turn is the creator's participant slot
//     kind          live
//     kind|kDying   its last reference has gone; it becomes free or spare, generation + 1, unless somebody opens it: then
//                   it is live again with the next turn
//
// A reference is one bit: participant p holds object i when bit i of p's holder bitmap is set. Setting and clearing a
// bit can be repeated without harm, so a death between two steps never miscounts.
//
// O1  Whoever uses an object has its bit set, from before it looks at the header until after its last access.
// O2  A slot becomes free only from the very turn in which it was seen dying with no bit set anywhere.
// O3  Only the participant itself sets its bits (or a granter for it); it or its sweeper clears them.
// O4  A slot that is being made is freed by its creator, or its creator's sweeper, only.
// O5  What is under way in a queue or pipe is held by that one's keeper (keepers.h), as by a participant.
// Order  holder: set bit, then read header (seq_cst) — freer: header to dying, then read bits (seq_cst). One of the two
//        sees the other: an object is never freed under a holder that believed it open. A granter sets a bit of another,
//        then reads the header, too.
// Turn   Without it a freer that stalls before its last step would free what has come back to life meanwhile:
//          A  dying, no bits …                                                    free! (under B)
//          B                    set bit, see dying, make live, in use
//          C                                                    dying (its look was from before B's bit)
// Death  creator killed before publishing: `Participant::dropping` names the slot (P3) until its bit does.
//        holder killed any time: its sweeper clears the bits and frees what is left.
//        killed between clearing its last bit and freeing: `dropping` again.
#pragma once

#include "core/arena.h"

namespace mp {

enum ObjectKind : uint32_t {
  kFree = 0,
  kCreating = 1,
  kLock = 2,
  kValue = 3,
  kArray = 4,
  kList = 5,
  kSemaphore = 6,
  kRWLock = 7,
  kCondition = 8,
  kBarrier = 9,
  kEvent = 10,
  kSeat = 11,
  kQueue = 12,    // queue.h
  kRing = 13,     // a block: the bytes of a queue
  kPipe = 14,     // a block: both directions of a pipe
  kPipeEnd = 15,  // whoever holds it has that end
  kParcel = 16,   // a block: a message, or a part of one, that is too large for a ring
  kSpare = 0x7e,
  kKindMask = 0x7f,
  kDying = 0x80
};

constexpr uint64_t header_of(uint32_t generation, uint32_t kind, uint32_t turn = 0) {
  return uint64_t{turn} << 32 | (generation & 0xffffff) << 8 | kind;
}
constexpr uint32_t header_turn(uint64_t header) { return static_cast<uint32_t>(header >> 32); }
constexpr uint32_t header_generation(uint64_t header) { return static_cast<uint32_t>(header) >> 8; }
constexpr uint32_t header_kind(uint64_t header) { return header & kKindMask; }

/// Makes an object held by `me`; its lock is free, its value `value`. *index names its slot.
platform::Failure object_create(const Arena& arena, OwnerId me, uint32_t kind, uint32_t detail,
                                uint64_t value, uint32_t* index);
/// The same in two halves, for kinds that have more to fill in: between them the slot is the maker's alone, and
/// object_close takes it back.
platform::Failure object_claim(const Arena& arena, OwnerId me, uint32_t* index);
void object_publish(const Arena& arena, OwnerId me, uint32_t index, uint32_t kind, uint32_t detail,
                    uint64_t value);
/// Claims a slot that was seen in the state `header` (free or spare), in place of a search. False: it is somebody else's.
bool object_claim_this(const Arena& arena, uint32_t self, uint32_t index, uint64_t header,
                       platform::Failure* failed);
/// Takes a reference. False: that object (slot, generation, kind) is gone. *failed: the reference cannot be recorded.
bool object_open(const Arena& arena, OwnerId me, uint32_t index, uint32_t generation, uint32_t kind,
                 platform::Failure* failed);
/// Gives another participant a reference; the caller holds one itself meanwhile. False: that participant is gone.
/// It is the one bit that participant has for the object: when it closes the object afterwards, the grant goes with it.
bool object_grant(const Arena& arena, OwnerId other, uint32_t index, platform::Failure* failed);
/// Gives a reference back; the last one frees. `holder` is `me`, or a dead participant whose token the caller has taken.
void object_close(const Arena& arena, uint32_t holder_slot, uint32_t index);
/// Frees the object if nobody holds it. `holder_slot` as above.
void object_free_unheld(const Arena& arena, uint32_t holder_slot, uint32_t index);

}  // namespace mp
