#include "core/objects.h"

#include "core/blocks.h"
#include "core/keepers.h"
#include "core/participants.h"
#include "core/pipe.h"
#include "core/point.h"

namespace mp {
namespace {

using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

/// How long a granter waits for a participant that is stopped (by a debugger, say) in the middle of a step.
constexpr int64_t kUnsettledNs = 100'000'000;

bool anybody_holds(const Arena& arena, uint32_t index) {
  const uint32_t high = arena.header().participant_high.load(memory_order_acquire);
  const uint32_t region = 1u << (index / kSlotsPerRegion);
  for (uint32_t slot = 1; slot <= high; slot++) {
    const Participant& p = arena.participant(slot);
    if ((p.state.load(memory_order_seq_cst) & (kLive | kEnding)) != kLive) continue;  // P4
    if (!(p.regions.load(memory_order_acquire) & region)) continue;
    if (arena.holder_cell(slot, index).load(memory_order_seq_cst) & holder_bit(index)) return true;
  }
  return keepers_hold(arena, index);
}

/// Whether a header is that object's, living or dying.
bool names(uint64_t header, uint32_t generation, uint32_t kind) {
  return (static_cast<uint32_t>(header) & ~uint32_t{kDying}) ==
         static_cast<uint32_t>(header_of(generation, kind));
}

/// The header that a dying one becomes when its object is saved.
uint64_t saved(uint64_t dying) { return (dying & ~uint64_t{kDying}) + (uint64_t{1} << 32); }

/// Takes a granted object back to life. A freer may have looked for the new bit before it was set, and for the granter's
/// after it was cleared.
void save_dying(std::atomic<uint64_t>& header) {
  uint64_t h = header.load(memory_order_seq_cst);
  while (h & kDying && !header.compare_exchange_strong(h, saved(h), memory_order_seq_cst)) {
  }
}

/// Backs the pages of a participant's bitmaps that cover `index`, once.
platform::Failure reserve_bit(const Arena& arena, uint32_t participant, uint32_t index) {
  Word& regions = arena.participant(participant).regions;
  const uint32_t region = index / kSlotsPerRegion;
  if (regions.load(memory_order_acquire) & 1u << region) return {};
  const size_t at = kBitmapsOffset + participant * kBitmapsStride + region * kPage;
  if (auto failed = platform::memory_reserve(arena.fd, at, kPage)) return failed;
  if (auto failed = platform::memory_reserve(arena.fd, at + kBitmapBytes, kPage)) return failed;
  regions.fetch_or(1u << region, memory_order_acq_rel);
  return {};
}

void lower_hint(const Arena& arena, uint32_t index) {
  Word& hint = arena.header().free_hint;
  uint32_t h = hint.load(memory_order_relaxed);
  while (index < h && !hint.compare_exchange_weak(h, index, memory_order_relaxed)) {
  }
}

/// What other kinds have used of a slot that is no block's.
void clear_rest(Slot& slot) {
  slot.extent = slot.bytes = 0;
  slot.warm.store(0, memory_order_relaxed);
}

/// Claims a free slot in [from, to) for participant `self`; 0 if there is none. `dropping` names it from then
/// on.
uint32_t claim_free(const Arena& arena, uint32_t self, uint32_t from, uint32_t to,
                    platform::Failure* failed) {
  for (uint32_t i = from; i < to; i++) {
    const uint64_t h = arena.slot(i).header.load(memory_order_acquire);
    if (header_kind(h) != kFree) continue;
    if (object_claim_this(arena, self, i, h, failed)) return i;
    if (*failed) return 0;
  }
  return 0;
}

/// What a slot becomes when what lies there is freed.
uint64_t freed(const Slot& slot, uint64_t header) {
  // acquire: set once, by the creator of its first block, before that was published
  const bool spare = slot.extent_class.load(memory_order_acquire) != 0;
  return header_of(header_generation(header) + 1, spare ? kSpare : kFree);
}

/// Replaces `header`, nobody's any more, by its freed form.
void free_from(const Arena& arena, uint32_t holder_slot, uint32_t index, uint64_t header) {
  Slot& slot = arena.slot(index);
  const uint64_t next = freed(slot, header);
  const uint64_t warm = slot.warm.load(memory_order_acquire);  // does not change before the slot is spare
  if (!slot.header.compare_exchange_strong(header, next, memory_order_seq_cst)) return;
  if (header_kind(next) == kSpare)
    block_retired(arena, holder_slot, index, warm);
  else
    lower_hint(arena, index);
  const uint32_t kind = header_kind(header);
  if (kind == kPipeEnd) pipe_end_freed(arena, index);
  if (kind == kQueue || kind == kPipe) keepers_sweep(arena, holder_slot);
}

}  // namespace

bool object_claim_this(const Arena& arena, uint32_t self, uint32_t index, uint64_t header,
                       platform::Failure* failed) {
  if ((*failed = reserve_bit(arena, self, index))) return false;
  Word& dropping = arena.participant(self).dropping;
  dropping.store(index, memory_order_seq_cst);  // P3
  MP_POINT("object.create.intended");
  if (arena.slot(index).header.compare_exchange_strong(
          header, header_of(header_generation(header), kCreating, self), memory_order_seq_cst))
    return true;
  // Somebody else's now. Our bit is not touched: the new owner may be granting us the object this moment.
  dropping.store(0, memory_order_release);
  return false;
}

platform::Failure object_claim(const Arena& arena, OwnerId me, uint32_t* index) {
  const uint32_t self = owner_slot(me);
  ArenaHeader& a = arena.header();
  for (;;) {
    platform::Failure failed;
    const uint32_t hint = a.free_hint.load(memory_order_relaxed);
    const uint32_t reserved = a.slots_reserved.load(memory_order_acquire);
    uint32_t found = claim_free(arena, self, hint < 1 ? 1 : hint, reserved, &failed);
    if (!found && !failed) found = claim_free(arena, self, 1, hint < reserved ? hint : reserved, &failed);
    if (failed) return failed;
    if (found) {
      uint32_t expected = hint;  // raise it only if nobody freed something meanwhile
      a.free_hint.compare_exchange_strong(expected, found + 1, memory_order_relaxed);
      MP_POINT("object.create.claimed");
      *index = found;
      return {};
    }
    if ((failed = arena_grow(arena))) return failed;
  }
}

void object_publish(const Arena& arena, OwnerId me, uint32_t index, uint32_t kind, uint32_t detail,
                    uint64_t value) {
  const uint32_t self = owner_slot(me);
  Slot& slot = arena.slot(index);
  arena.holder_cell(self, index).fetch_or(holder_bit(index), memory_order_seq_cst);  // O1
  MP_POINT("object.create.bit_set");
  slot.word.store(0, memory_order_relaxed);
  slot.claim.store(0, memory_order_relaxed);
  slot.blocked_on.store(0, memory_order_relaxed);
  if (slot.extent_class.load(memory_order_relaxed) == 0) clear_rest(slot);
  slot.detail = detail;
  slot.value.store(value, memory_order_relaxed);
  MP_POINT("object.create.filled");
  const uint64_t h = slot.header.load(memory_order_relaxed);  // relaxed: ours alone (O4)
  slot.header.store(header_of(header_generation(h), kind), memory_order_seq_cst);
  MP_POINT("object.create.published");
  arena.participant(self).dropping.store(0, memory_order_release);
}

platform::Failure object_create(const Arena& arena, OwnerId me, uint32_t kind, uint32_t detail,
                                uint64_t value, uint32_t* index) {
  if (auto failed = object_claim(arena, me, index)) return failed;
  object_publish(arena, me, *index, kind, detail, value);
  return {};
}

bool object_open(const Arena& arena, OwnerId me, uint32_t index, uint32_t generation, uint32_t kind,
                 platform::Failure* failed) {
  const uint32_t self = owner_slot(me);
  if (index == 0 || index >= arena.header().slots_reserved.load(memory_order_acquire)) return false;
  auto& header = arena.slot(index).header;
  // A stale handle does not get as far as the bit: it may be ours for the object that lies there now.
  if (!names(header.load(memory_order_acquire), generation, kind)) return false;
  if ((*failed = reserve_bit(arena, self, index))) return false;
  Word& dropping = arena.participant(self).dropping;
  dropping.store(index, memory_order_seq_cst);  // P3
  const uint32_t before = arena.holder_cell(self, index).fetch_or(holder_bit(index), memory_order_seq_cst);
  MP_POINT("object.open.bit_set");
  bool ours = false;
  for (uint64_t h = header.load(memory_order_seq_cst); !ours && names(h, generation, kind);)
    ours = !(h & kDying) ||
           header.compare_exchange_strong(h, saved(h), memory_order_seq_cst);  // before it was freed
  if (ours || before & holder_bit(index))
    dropping.store(0, memory_order_release);
  else
    object_close(arena, self, index);
  return ours;
}

bool object_grant(const Arena& arena, OwnerId other, uint32_t index, platform::Failure* failed) {
  const uint32_t slot = owner_slot(other);
  Participant& p = arena.participant(slot);
  const uint32_t live = owner_generation(other) << 1 | kLive;
  if (p.state.load(memory_order_acquire) != live) return false;
  if ((*failed = reserve_bit(arena, slot, index))) return false;
  MP_POINT("object.grant.checked");
  arena.holder_cell(slot, index).fetch_or(holder_bit(index), memory_order_seq_cst);
  MP_POINT("object.grant.bit_set");
  // It may be about to clear that very bit: it is closing the object, or has set the bit itself with a stale
  // handle.
  platform::Watch unused;
  const int64_t give_up_at = platform::monotonic_now() + kUnsettledNs;
  while (!owner_dead(arena, other, &unused)) {
    if (p.dropping.load(memory_order_seq_cst) == index && platform::monotonic_now() < give_up_at)
      platform::yield();
    else if (arena.holder_cell(slot, index).fetch_or(holder_bit(index), memory_order_seq_cst) &
             holder_bit(index)) {
      save_dying(arena.slot(index).header);
      return true;
    }
  }
  // It has ended. The bit does not count (P4), unless the slot's next participant is there already: then it
  // keeps the object until that one leaves.
  return false;
}

void object_close(const Arena& arena, uint32_t holder_slot, uint32_t index) {
  Participant& holder = arena.participant(holder_slot);
  holder.dropping.store(index, memory_order_seq_cst);  // P3
  MP_POINT("object.close.intended");
  arena.holder_cell(holder_slot, index).fetch_and(~holder_bit(index), memory_order_seq_cst);
  MP_POINT("object.close.bit_cleared");
  object_free_unheld(arena, holder_slot, index);
  holder.dropping.store(0, memory_order_release);
}

void object_free_unheld(const Arena& arena, uint32_t holder_slot, uint32_t index) {
  auto& header = arena.slot(index).header;
  for (;;) {
    uint64_t h = header.load(memory_order_seq_cst);
    if (header_kind(h) == kFree) return;
    if (header_kind(h) == kSpare) return spare_settle(arena, holder_slot, index);
    if (header_kind(h) == kCreating) {
      if (header_turn(h) == holder_slot) free_from(arena, holder_slot, index, h);  // O4
      return;
    }
    if (anybody_holds(arena, index)) return;
    uint64_t dying = h | kDying;
    if (h != dying && !header.compare_exchange_strong(h, dying, memory_order_seq_cst)) continue;
    MP_POINT("object.free.dying");
    if (anybody_holds(arena, index)) {
      // An opener came between our two looks. It keeps the object, or finds it is not the one it wanted and
      // comes through here itself, unless it did so before the object was saved: hence the third look.
      header.compare_exchange_strong(dying, saved(dying), memory_order_seq_cst);
      MP_POINT("object.free.saved");
      if (anybody_holds(arena, index)) return;
      continue;
    }
    return free_from(arena, holder_slot, index, dying);  // O2
  }
}

}  // namespace mp
