#include "core/keepers.h"

#include "core/objects.h"
#include "core/point.h"

namespace mp {
namespace {

using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

constexpr uint64_t object_of(uint32_t index, uint32_t generation) {
  return uint64_t{generation} << 32 | index;
}

/// Whether a keeper's object has been freed.
bool is_stale(const Arena& arena, uint64_t object) {
  const uint64_t header = arena.slot(static_cast<uint32_t>(object)).header.load(memory_order_seq_cst);
  return header_generation(header) != static_cast<uint32_t>(object >> 32);
}

/// Takes the right to change `object` (K1). False: somebody has it, who may be dead, or who called us.
bool take_changer(Keeper& keeper, OwnerId as, bool inherits = false) {
  uint32_t changer = 0;
  return keeper.changer.compare_exchange_strong(changer, as, memory_order_seq_cst) ||
         (inherits && changer == as);
}

/// Empties a keeper for as long as its object is no more. Once is not enough: another one may have been freed there by
/// somebody who found that we have the keeper. Returns whether there was one.
bool sweep_one(const Arena& arena, uint32_t holder_slot, OwnerId as, uint32_t number, bool inherits) {
  Keeper& keeper = arena.keeper(number);
  for (bool emptied = false;; emptied = true) {
    const uint64_t object = keeper.object.load(memory_order_acquire);
    const bool stale = object != 0 && is_stale(arena, object);
    const bool inherited = inherits && keeper.changer.load(memory_order_acquire) == as;
    if ((!stale && !inherited) || !take_changer(keeper, as, inherits)) return emptied;
    if (stale && keeper.object.load(memory_order_acquire) == object) {
      keeper_retain(arena, holder_slot, number, [](uint32_t) { return false; });
      MP_POINT("keeper.emptied");
      keeper.object.store(0, memory_order_seq_cst);
    }
    MP_POINT("keeper.given_back");
    keeper.changer.store(0, memory_order_release);
  }
}

/// Backs the page of a keeper that has never been.
platform::Failure reserve_keeper(const Arena& arena, uint32_t number) {
  if (number < arena.header().keeper_high.load(memory_order_acquire)) return {};
  return platform::memory_reserve(arena.fd, (kKeepersOffset + number * sizeof(Keeper)) / kPage * kPage,
                                  kPage);
}

void raise_high(const Arena& arena, uint32_t number) {
  Word& high = arena.header().keeper_high;
  uint32_t h = high.load(memory_order_relaxed);
  while (h <= number && !high.compare_exchange_weak(h, number + 1, memory_order_acq_rel)) {
  }
}

}  // namespace

platform::Failure keeper_take(const Arena& arena, OwnerId me, uint32_t index, uint32_t* number) {
  const uint32_t generation = header_generation(arena.slot(index).header.load(memory_order_acquire));
  const uint64_t object = object_of(index, generation);
  const uint32_t high = arena.header().keeper_high.load(memory_order_acquire);
  // Whoever took one for it may have died before it could say so.
  for (uint32_t k = 1; k < high; k++) {
    if (arena.keeper(k).object.load(memory_order_acquire) != object) continue;
    *number = k;
    return {};
  }
  for (uint32_t k = 1; k < kKeeperMax; k++) {
    if (auto failed = reserve_keeper(arena, k)) return failed;
    Keeper& keeper = arena.keeper(k);
    if (keeper.object.load(memory_order_acquire) != 0) continue;
    raise_high(arena, k);  // first: who sweeps us looks below it
    if (!take_changer(keeper, me)) continue;
    MP_POINT("keeper.changing");
    const bool free = keeper.object.load(memory_order_acquire) == 0;
    if (free) keeper.object.store(object, memory_order_seq_cst);
    MP_POINT("keeper.taken");
    keeper.changer.store(0, memory_order_release);
    if (free) {
      *number = k;
      return {};
    }
    sweep_one(arena, owner_slot(me), me, k, false);
  }
  return {28 /* ENOSPC on every system of ours */, "keeper_take"};
}

platform::Failure keeper_set(const Arena& arena, uint32_t number, uint32_t index) {
  if (number >= kKeeperMax || index >= kSlotMax) return {5 /* EIO: overwritten */, "keeper_set"};
  Word& regions = arena.keeper(number).regions;
  const uint32_t region = index / kSlotsPerRegion;
  if (!(regions.load(memory_order_acquire) & 1u << region)) {
    const size_t at = kKeeperBitmapsOffset + number * kBitmapBytes + region * kPage;
    if (auto failed = platform::memory_reserve(arena.fd, at, kPage)) return failed;
    regions.fetch_or(1u << region, memory_order_acq_rel);
  }
  arena.keeper_cell(number, index).fetch_or(holder_bit(index), memory_order_seq_cst);
  MP_POINT("keeper.bit_set");
  return {};
}

bool keepers_hold(const Arena& arena, uint32_t index) {
  const uint32_t high = arena.header().keeper_high.load(memory_order_acquire);
  const uint32_t region = 1u << (index / kSlotsPerRegion);
  for (uint32_t k = 1; k < high && k < kKeeperMax; k++) {
    const Keeper& keeper = arena.keeper(k);
    if (!(keeper.regions.load(memory_order_acquire) & region)) continue;
    if (!(arena.keeper_cell(k, index).load(memory_order_seq_cst) & holder_bit(index))) continue;
    if (static_cast<uint32_t>(keeper.object.load(memory_order_acquire)) != index) return true;  // K5
  }
  return false;
}

void keeper_drop(const Arena& arena, uint32_t holder_slot, uint32_t number, uint32_t index) {
  Word& dropping = arena.participant(holder_slot).dropping;
  dropping.store(index, memory_order_seq_cst);  // P3
  keeper_clear(arena, number, index);
  MP_POINT("keeper.bit_cleared");
  object_free_unheld(arena, holder_slot, index);
  dropping.store(0, memory_order_release);
}

void keepers_sweep(const Arena& arena, uint32_t holder_slot, bool inherits) {
  const uint32_t high = arena.header().keeper_high.load(memory_order_acquire);
  if (high == 0) return;
  const OwnerId as =
      owner_id(holder_slot, arena.participant(holder_slot).state.load(memory_order_acquire) >> 1);
  // Emptying one may free queues that lay there, and then comes here again. Whoever is at one already comes back to theirs:
  // queues lie in queues a thousand deep, and stacks are small.
  for (uint32_t k = 1; !inherits && k < high && k < kKeeperMax; k++)
    if (arena.keeper(k).changer.load(memory_order_relaxed) == as) return;
  for (bool again = true; again;) {
    again = false;
    for (uint32_t k = 1; k < high && k < kKeeperMax; k++)
      again = sweep_one(arena, holder_slot, as, k, inherits) || again;
  }
}

}  // namespace mp
