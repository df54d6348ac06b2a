#include "core/objects.h"

#include "core/point.h"

namespace mp {
namespace {

using std::memory_order_acquire;
using std::memory_order_acq_rel;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

bool anybody_holds(const Arena& arena, uint32_t index) {
  const uint32_t high = arena.header().participant_high.load(memory_order_acquire);
  const uint32_t region = 1u << (index / kSlotsPerRegion);
  for (uint32_t p = 1; p <= high; p++) {
    if (!(arena.participant(p).regions.load(memory_order_acquire) & region)) continue;
    if (arena.holder_cell(p, index).load(memory_order_seq_cst) & holder_bit(index)) return true;
  }
  return false;
}

/// Backs the page of a participant's bitmap that covers `index`, once.
platform::Failure reserve_bit(const Arena& arena, uint32_t participant, uint32_t index) {
  Word& regions = arena.participant(participant).regions;
  const uint32_t region = index / kSlotsPerRegion;
  if (regions.load(memory_order_acquire) & 1u << region) return {};
  const size_t at = kBitmapsOffset + participant * kBitmapBytes + region * kPage;
  if (auto failed = platform::memory_reserve(arena.fd, at, kPage)) return failed;
  regions.fetch_or(1u << region, memory_order_acq_rel);
  return {};
}

void lower_hint(const Arena& arena, uint32_t index) {
  Word& hint = arena.header().free_hint;
  uint32_t h = hint.load(memory_order_relaxed);
  while (index < h && !hint.compare_exchange_weak(h, index, memory_order_relaxed)) {
  }
}

/// Claims a free slot in [from, to) for `me`; 0 if there is none.
uint32_t claim_free(const Arena& arena, uint32_t me, uint32_t from, uint32_t to, platform::Failure* failed) {
  for (uint32_t i = from; i < to; i++) {
    Slot& slot = arena.slot(i);
    uint32_t h = slot.header.load(memory_order_acquire);
    if (header_kind(h) != kFree) continue;
    if ((*failed = reserve_bit(arena, me, i))) return 0;
    arena.holder_cell(me, i).fetch_or(holder_bit(i), memory_order_seq_cst);  // O1
    MP_POINT("object.create.bit_set");
    if (slot.header.compare_exchange_strong(h, header_of(header_generation(h), kCreating), memory_order_seq_cst)) return i;
    object_close(arena, me, i);  // somebody else's now: our bit may have kept it from being freed
  }
  return 0;
}

}  // namespace

platform::Failure object_create(const Arena& arena, OwnerId me, uint32_t kind, uint32_t detail, uint64_t value,
                                uint32_t* index) {
  const uint32_t self = owner_slot(me);
  ArenaHeader& a = arena.header();
  uint32_t found = 0;
  for (;;) {
    platform::Failure failed;
    const uint32_t hint = a.free_hint.load(memory_order_relaxed);
    const uint32_t reserved = a.slots_reserved.load(memory_order_acquire);
    found = claim_free(arena, self, hint < 1 ? 1 : hint, reserved, &failed);
    if (!found && !failed) found = claim_free(arena, self, 1, hint < reserved ? hint : reserved, &failed);
    if (failed) return failed;
    if (found) {
      uint32_t expected = hint;  // raise it only if nobody freed something meanwhile
      a.free_hint.compare_exchange_strong(expected, found + 1, memory_order_relaxed);
      break;
    }
    if ((failed = arena_grow(arena))) return failed;
  }
  Slot& slot = arena.slot(found);
  slot.word.store(0, memory_order_relaxed);
  slot.claim.store(0, memory_order_relaxed);
  slot.detail = detail;
  slot.value.store(value, memory_order_relaxed);
  MP_POINT("object.create.filled");
  const uint32_t h = slot.header.load(memory_order_relaxed);
  slot.header.store(header_of(header_generation(h), kind), memory_order_release);
  *index = found;
  return {};
}

bool object_open(const Arena& arena, OwnerId me, uint32_t index, uint32_t generation, uint32_t kind,
                 platform::Failure* failed) {
  const uint32_t self = owner_slot(me);
  if (index == 0 || index >= arena.header().slots_reserved.load(memory_order_acquire)) return false;
  if ((*failed = reserve_bit(arena, self, index))) return false;
  arena.holder_cell(self, index).fetch_or(holder_bit(index), memory_order_seq_cst);
  MP_POINT("object.open.bit_set");
  if (arena.slot(index).header.load(memory_order_seq_cst) == header_of(generation, kind)) return true;
  object_close(arena, self, index);
  return false;
}

bool object_grant(const Arena& arena, OwnerId other, uint32_t index, platform::Failure* failed) {
  const uint32_t slot = owner_slot(other);
  Participant& p = arena.participant(slot);
  const uint32_t live = owner_generation(other) << 1 | 1;
  if (p.state.load(memory_order_acquire) != live) return false;
  if ((*failed = reserve_bit(arena, slot, index))) return false;
  arena.holder_cell(slot, index).fetch_or(holder_bit(index), memory_order_seq_cst);
  // It may have been swept meanwhile: then the bit is nobody's, and the next sweep of that slot clears it.
  return p.state.load(memory_order_seq_cst) == live;
}

void object_close(const Arena& arena, uint32_t holder_slot, uint32_t index) {
  Participant& holder = arena.participant(holder_slot);
  holder.dropping.store(index, memory_order_seq_cst);  // P3
  arena.holder_cell(holder_slot, index).fetch_and(~holder_bit(index), memory_order_seq_cst);
  MP_POINT("object.close.bit_cleared");
  object_free_unheld(arena, index);
  holder.dropping.store(0, memory_order_release);
}

void object_free_unheld(const Arena& arena, uint32_t index) {
  Slot& slot = arena.slot(index);
  for (;;) {
    uint32_t h = slot.header.load(memory_order_seq_cst);
    if (header_kind(h) == kFree || anybody_holds(arena, index)) return;
    const uint32_t dying = h | kDying;
    if (h != dying && !slot.header.compare_exchange_strong(h, dying, memory_order_seq_cst)) continue;
    MP_POINT("object.free.dying");
    uint32_t expected = dying;
    if (anybody_holds(arena, index)) {
      // An opener came between our two looks. If it saw the object live it keeps it; if it saw it dying it is about to
      // clear its bit and will come through here itself.
      slot.header.compare_exchange_strong(expected, dying & ~uint32_t{kDying}, memory_order_seq_cst);
      if (anybody_holds(arena, index)) return;
      continue;
    }
    const uint32_t next = header_of((header_generation(h) + 1) & 0xffffff, kFree);
    if (slot.header.compare_exchange_strong(expected, next, memory_order_seq_cst)) lower_hint(arena, index);
    return;
  }
}

}  // namespace mp
