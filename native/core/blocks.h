// Blocks: objects that have bytes of their own, in the arena's heap.
//
// A slot that ever was a block has an *extent*, for ever: 64 << class bytes of the heap, cut off its unused end. Its last
// reference gone, the slot is *spare*, and the next block of that class is made there. Nothing is split or merged, so
// there is no free list that a death could tear.
//
//   extent_class   class + 1; 0: the slot has none        extent   where it begins in the heap; a multiple of its size,
//   bytes          the length of the block that is live            or of 8 GiB if that is less
//   warm           how many bytes from the start of the extent are backed by pages; with kUnsure at most so many
//
// B1  No byte of the heap is in two extents: `used` and `small_next` move by compare-and-swap, before the slot is told.
// B2  `extent` and `extent_class` are written once, while the slot is being made, `extent_class` last.
// B3  `warm` is written by who has the slot in kCreating only, and says kUnsure before pages come or go.
// B4  A live block's bytes all have pages. What lay there before is cleared by its maker before anybody has its name.
// Pages    Spares keep theirs (*warm*: the first touch of a page costs more than clearing it), up to kWarmMax in all.
//          Beyond that who freed a block has another spare give its pages back, in kCreating, so that nobody takes it
//          meanwhile: the one just freed is the next to be used. When memory runs out all spares give theirs.
// Death    while carving: the extent is nobody's. It costs addresses, nothing else.
//          between carving and publishing, or giving pages back: the slot is in kCreating and named by `dropping`
//          (objects.h); the sweeper makes it spare. `warm` says kUnsure if pages were under way.
//          between freeing and giving pages back: `dropping` again; the sweeper gives them.
//          beside a counter or a hint: they drift. A sweep counts again; a search of a few slots with each creation finds
//          what no hint tells of.
#pragma once

#include "core/arena.h"

namespace mp {

inline constexpr uint64_t kUnsure = 1;
inline constexpr uint32_t kPageClass = 6;  // the first class of a page or more
inline constexpr uint64_t kWarmMax = uint64_t{64} << 20;
inline constexpr uint64_t kWarmBlockMax = uint64_t{16} << 20;
inline constexpr uint64_t kSmallChunk = uint64_t{64} << 10;
inline constexpr uint64_t kAlignMax = uint64_t{8} << 30;

constexpr uint64_t class_bytes(uint32_t size_class) { return uint64_t{64} << size_class; }
static_assert(class_bytes(kPageClass) == kPage);
/// The smallest class that holds so many bytes; kClassMax if there is none.
uint32_t class_of(uint64_t bytes);

struct NewBlock {
  uint32_t index;  // of its slot
  uint64_t dirty;  // so many bytes from its start may not be zero: the maker clears them (B4)
};
/// Makes a block held by `me`, of exactly `bytes`, with real pages. ENOMEM: there is no memory for it; ENOSPC: no more
/// room in the heap, or no slot.
platform::Failure block_create(const Arena& arena, OwnerId me, uint32_t kind, uint32_t detail, uint64_t bytes,
                               NewBlock* made);
/// To be called once a slot has become spare. `holder_slot` as in object_free_unheld.
void block_retired(const Arena& arena, uint32_t holder_slot, uint32_t index, uint64_t warm);
/// Gives back the pages of a spare slot if they are too many, or unsure.
void spare_settle(const Arena& arena, uint32_t holder_slot, uint32_t index);
/// Gives back the pages of all spares; returns how many bytes.
uint64_t spares_trim(const Arena& arena, OwnerId me);
/// Counts `spares` and `warm` anew.
void spares_count(const Arena& arena);

}  // namespace mp
