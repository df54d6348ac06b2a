// The arena: one segment per process tree, inherited by every child, in which all small shared objects live.
#pragma once

#include "core/layout.h"

namespace mp {

/// Where the parts of an arena lie: of a process tree's, or of a named lock's (named_lock.h).
struct ArenaPlan {
  size_t header, participants, participant_stride, tokens,
      slots;  // tokens: a stride apart like their participants
  uint32_t participant_max;
  bool
      has_objects;  // else the one object of slot 0, no holder bitmaps, and participants that are not reserved beforehand
  platform::TokenForm token_form;
  size_t seats;  // of an arena without objects: a stride apart like their participants
};
inline constexpr ArenaPlan kTreePlan{kArenaHeaderOffset,
                                     kParticipantsOffset,
                                     sizeof(Participant),
                                     kParticipantsOffset + offsetof(Participant, token),
                                     kSlotsOffset,
                                     kParticipantMax,
                                     true,
                                     platform::TokenForm::whole,
                                     0};

/// A mapping of the arena in this process, all but its heap. Cheap to copy; it lasts as long as the process.
struct Arena {
  unsigned char* base = nullptr;
  int fd = -1;
  const ArenaPlan* plan = &kTreePlan;
  uint32_t kind = 0;  // of an arena without objects: what its slot 0 is (objects.h)

  SegmentHeader& segment() const { return *reinterpret_cast<SegmentHeader*>(base); }
  ArenaHeader& header() const { return *reinterpret_cast<ArenaHeader*>(base + plan->header); }
  HeapHeader& heap() const { return *reinterpret_cast<HeapHeader*>(base + kHeapHeaderOffset); }
  uint64_t heap_bytes() const { return segment().size - kHeapOffset; }
  Participant& participant(uint32_t slot) const {
    return *reinterpret_cast<Participant*>(base + plan->participants + slot * plan->participant_stride);
  }
  platform::Token* token(uint32_t slot) const {
    return reinterpret_cast<platform::Token*>(base + plan->tokens + slot * plan->participant_stride);
  }
  Slot& slot(uint32_t index) const { return reinterpret_cast<Slot*>(base + plan->slots)[index]; }
  /// The cell of a participant's holder bitmap that has the bit of an object.
  Word& holder_cell(uint32_t participant, uint32_t index) const {
    return reinterpret_cast<Word*>(base + kBitmapsOffset + participant * kBitmapsStride)[index / 32];
  }
  /// The same of its waiter bitmap.
  Word& waiter_cell(uint32_t participant, uint32_t index) const {
    return reinterpret_cast<Word*>(base + kBitmapsOffset + participant * kBitmapsStride +
                                   kBitmapBytes)[index / 32];
  }
  Keeper& keeper(uint32_t number) const { return reinterpret_cast<Keeper*>(base + kKeepersOffset)[number]; }
  /// The cell of a keeper's bitmap that has the bit of an object.
  Word& keeper_cell(uint32_t number, uint32_t index) const {
    return reinterpret_cast<Word*>(base + kKeeperBitmapsOffset + number * kBitmapBytes)[index / 32];
  }
  uint32_t index_of(const Slot& s) const {
    return static_cast<uint32_t>(&s - reinterpret_cast<const Slot*>(base + plan->slots));
  }
};
constexpr uint32_t holder_bit(uint32_t index) { return 1u << (index % 32); }

enum class ArenaCheck { ok, unready, not_an_arena, other_version, other_libc, other_size };

/// Makes an arena out of a fresh, zeroed segment, mapped at arena.base, with a heap of `heap_bytes`. `id` is random.
platform::Failure arena_format(const Arena& arena, uint64_t id, uint64_t heap_bytes);
/// Says whether a segment is an arena this build can use. Reads the header only.
ArenaCheck arena_check(const SegmentHeader& header, size_t file_size);
/// Reserves pages for one more chunk of slots. ENOSPC when all kSlotMax are in use.
platform::Failure arena_grow(const Arena& arena);

}  // namespace mp
