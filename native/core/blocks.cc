#include "core/blocks.h"

#include <bit>

#include "core/objects.h"
#include "core/point.h"

namespace mp {
namespace {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

constexpr int kNoMemory = 12 /* ENOMEM on every system of ours */, kNoSpace = 28 /* ENOSPC */;
/// How many slots a creation looks at when no hint helps: many if a spare is said to be there, else a few, so that what
/// a death has hidden is found in time.
constexpr uint32_t kLookMany = 4096, kLookFew = 64;

constexpr uint64_t round_up(uint64_t n, uint64_t to) { return (n + to - 1) & ~(to - 1); }

/// How much of an extent must have pages for a block of so many bytes. Below a page the whole: neighbours share it.
uint64_t backed(uint32_t size_class, uint64_t bytes) {
  return size_class < kPageClass ? class_bytes(size_class) : round_up(bytes, kPage);
}

// relaxed, here and below: counts and hints, which nothing rests on
void add(std::atomic<uint64_t>& counter, uint64_t n) { counter.fetch_add(n, memory_order_relaxed); }

/// Cuts an extent off the heap (B1).
platform::Failure carve_large(const Arena& arena, uint64_t size, uint64_t* extent) {
  auto& used = arena.heap().used;
  const uint64_t align = size < kAlignMax ? size : kAlignMax, end = arena.heap_bytes();
  uint64_t u = used.load(memory_order_acquire);
  do {
    *extent = round_up(u, align);
    if (*extent > end || size > end - *extent) return {kNoSpace, "block_create"};
  } while (!used.compare_exchange_strong(u, *extent + size, memory_order_seq_cst));
  MP_POINT("block.carved");
  return {};
}

platform::Failure carve_small(const Arena& arena, uint64_t size, uint64_t* extent) {
  auto& next = arena.heap().small_next;
  uint64_t n = next.load(memory_order_acquire);
  for (;;) {
    *extent = round_up(n, size);
    if (n % kSmallChunk == 0 || *extent + size > round_up(n, kSmallChunk)) {
      // Should somebody else move `next` meanwhile, this chunk is lost: addresses only.
      if (auto failed = carve_large(arena, kSmallChunk, extent)) return failed;
    }
    if (next.compare_exchange_strong(n, *extent + size, memory_order_seq_cst)) return {};
  }
}

/// Takes a spare slot of a class, seen or only said to be there. `dropping` names it from then on.
bool claim_spare(const Arena& arena, uint32_t self, uint32_t index, uint32_t size_class,
                 platform::Failure* failed) {
  Slot& slot = arena.slot(index);
  const uint64_t h = slot.header.load(memory_order_acquire);
  if (header_kind(h) != kSpare || slot.extent_class.load(memory_order_acquire) != size_class + 1)
    return false;
  if (!object_claim_this(arena, self, index, h, failed)) return false;
  MP_POINT("block.spare_claimed");
  arena.heap().classes[size_class].spares.fetch_add(~0u, memory_order_relaxed);
  add(arena.heap().warm, 0 - (slot.warm.load(memory_order_relaxed) & ~kUnsure));
  return true;
}

uint32_t find_spare(const Arena& arena, uint32_t self, uint32_t size_class, platform::Failure* failed) {
  ExtentClass& c = arena.heap().classes[size_class];
  const uint32_t reserved = arena.header().slots_reserved.load(memory_order_acquire);
  for (Word& hint : c.hint) {
    if (hint.load(memory_order_relaxed) == 0) continue;
    const uint32_t index = hint.exchange(0, memory_order_relaxed);
    if (index != 0 && index < reserved && claim_spare(arena, self, index, size_class, failed)) return index;
    if (*failed) return 0;
  }
  const bool some = static_cast<int32_t>(c.spares.load(memory_order_relaxed)) > 0;
  uint32_t looks = some ? kLookMany : kLookFew, at = c.cursor.load(memory_order_relaxed), found = 0;
  for (looks = looks < reserved ? looks : reserved; looks > 0 && found == 0 && !*failed; looks--) {
    at = at + 1 < reserved ? at + 1 : 1;
    if (claim_spare(arena, self, at, size_class, failed)) found = at;
  }
  c.cursor.store(at, memory_order_relaxed);
  return found;
}

/// The heap has no more room: a spare of any class that is large enough.
uint32_t find_larger(const Arena& arena, uint32_t self, uint32_t size_class, platform::Failure* failed) {
  const uint32_t reserved = arena.header().slots_reserved.load(memory_order_acquire);
  for (uint32_t i = 1; i < reserved && !*failed; i++) {
    const uint32_t its = arena.slot(i).extent_class.load(memory_order_acquire);
    if (its > size_class && claim_spare(arena, self, i, its - 1, failed)) return i;
  }
  return 0;
}

/// Gives a slot that is being made, and has none, an extent.
platform::Failure give_extent(const Arena& arena, uint32_t index, uint32_t size_class) {
  Slot& slot = arena.slot(index);
  uint64_t extent;
  const uint64_t size = class_bytes(size_class);
  if (auto failed =
          size_class < kPageClass ? carve_small(arena, size, &extent) : carve_large(arena, size, &extent))
    return failed;
  slot.extent = extent;
  slot.warm.store(0, memory_order_relaxed);
  slot.extent_class.store(size_class + 1, memory_order_release);  // B2
  MP_POINT("block.extent_given");
  return {};
}

/// Gives back the pages of a slot in kCreating.
void discard(const Arena& arena, Slot& slot) {
  const uint64_t warm = slot.warm.load(memory_order_relaxed) & ~kUnsure;
  if (warm == 0) return;
  slot.warm.store(warm | kUnsure, memory_order_release);
  MP_POINT("block.discarding");
  if (platform::memory_discard(arena.fd, kHeapOffset + slot.extent, warm)) return;
  MP_POINT("block.discarded");
  slot.warm.store(0, memory_order_release);
}

/// Backs the block of a slot in kCreating with pages (B3, B4).
platform::Failure warm_up(const Arena& arena, Slot& slot, uint64_t bytes, uint64_t* dirty) {
  const uint32_t size_class = slot.extent_class.load(memory_order_relaxed) - 1;
  if (slot.warm.load(memory_order_relaxed) & kUnsure && size_class >= kPageClass) discard(arena, slot);
  const uint64_t before = slot.warm.load(memory_order_relaxed), warm = before & ~kUnsure;
  const uint64_t least = backed(size_class, bytes), need = least > warm ? least : warm;
  *dirty = warm < bytes ? warm : bytes;
  if (before == need) return {};
  slot.warm.store(need | kUnsure, memory_order_release);
  MP_POINT("block.reserving");
  const uint64_t from = before & kUnsure ? 0 : warm;
  if (auto failed = platform::memory_reserve(arena.fd, kHeapOffset + slot.extent + from, need - from)) {
    if (size_class >= kPageClass) discard(arena, slot);  // some of it may have come
    return failed;
  }
  MP_POINT("block.reserved");
  slot.warm.store(need, memory_order_release);
  return {};
}

platform::Failure create(const Arena& arena, OwnerId me, uint32_t kind, uint32_t detail, uint64_t bytes,
                         NewBlock* made) {
  const uint32_t self = owner_slot(me), size_class = class_of(bytes);
  if (size_class >= kClassMax) return {kNoSpace, "block_create"};
  platform::Failure failed;
  uint32_t index = bytes == 0 ? 0 : find_spare(arena, self, size_class, &failed);
  if (failed) return failed;
  if (index == 0) {
    if ((failed = object_claim(arena, me, &index))) return failed;
    if (bytes != 0 && (failed = give_extent(arena, index, size_class))) {
      object_close(arena, self, index);
      platform::Failure none;
      index = find_larger(arena, self, size_class, &none);
      if (index == 0) return none ? none : failed;
    }
  }
  Slot& slot = arena.slot(index);
  made->dirty = 0;
  if (bytes != 0 && (failed = warm_up(arena, slot, bytes, &made->dirty))) {
    object_close(arena, self, index);
    return failed;
  }
  slot.bytes = bytes;
  object_publish(arena, me, index, kind, detail, 0);
  made->index = index;
  return {};
}

/// Gives back the pages of a spare slot. `dropping` of participant `holder_slot` names it.
uint64_t cool(const Arena& arena, uint32_t holder_slot, uint32_t index) {
  Slot& slot = arena.slot(index);
  uint64_t h = slot.header.load(memory_order_acquire);
  const uint64_t mine = header_of(header_generation(h), kCreating, holder_slot);
  if (header_kind(h) != kSpare || !slot.header.compare_exchange_strong(h, mine, memory_order_seq_cst))
    return 0;
  MP_POINT("block.cooling");
  const uint64_t before = slot.warm.load(memory_order_relaxed) & ~kUnsure;
  discard(arena, slot);
  const uint64_t given = before - (slot.warm.load(memory_order_relaxed) & ~kUnsure);
  add(arena.heap().warm, 0 - given);
  slot.header.store(h, memory_order_seq_cst);
  return given;
}

/// Has a spare that has lain about give back its pages in place of `index`, which was in use a moment ago. False: none was
/// found in a short search.
bool cool_another(const Arena& arena, uint32_t holder_slot, uint32_t index) {
  const uint32_t reserved = arena.header().slots_reserved.load(memory_order_acquire);
  Word& dropping = arena.participant(holder_slot).dropping;
  Word& cursor = arena.heap().classes[0].cursor;  // its own class looks for spares below a page only
  uint32_t at = cursor.load(memory_order_relaxed);
  for (uint32_t looks = kLookFew; looks > 0; looks--) {
    at = at + 1 < reserved ? at + 1 : 1;
    const Slot& slot = arena.slot(at);
    if (at == index || header_kind(slot.header.load(memory_order_acquire)) != kSpare ||
        slot.extent_class.load(memory_order_acquire) <= kPageClass ||
        slot.warm.load(memory_order_acquire) == 0)
      continue;
    dropping.store(at, memory_order_seq_cst);  // P3
    const bool cooled = cool(arena, holder_slot, at) > 0;
    dropping.store(index, memory_order_release);
    if (!cooled) continue;
    cursor.store(at, memory_order_relaxed);
    return true;
  }
  cursor.store(at, memory_order_relaxed);
  return false;
}

}  // namespace

uint32_t class_of(uint64_t bytes) {
  return bytes <= 64 ? 0 : static_cast<uint32_t>(std::bit_width(bytes - 1)) - 6;
}

platform::Failure block_create(const Arena& arena, OwnerId me, uint32_t kind, uint32_t detail, uint64_t bytes,
                               NewBlock* made) {
  auto failed = create(arena, me, kind, detail, bytes, made);
  if (failed.code == kNoMemory && spares_trim(arena, me) > 0)
    failed = create(arena, me, kind, detail, bytes, made);
  return failed;
}

void block_retired(const Arena& arena, uint32_t holder_slot, uint32_t index, uint64_t warm) {
  HeapHeader& heap = arena.heap();
  const uint32_t size_class = arena.slot(index).extent_class.load(memory_order_acquire) - 1;
  ExtentClass& c = heap.classes[size_class];
  c.spares.fetch_add(1, memory_order_relaxed);
  add(heap.warm, warm & ~kUnsure);
  MP_POINT("block.retired");
  spare_settle(arena, holder_slot, index);
  for (Word& hint : c.hint) {
    uint32_t none = 0;
    if (hint.load(memory_order_relaxed) == 0 &&
        hint.compare_exchange_strong(none, index, memory_order_relaxed))
      return;
  }
  c.hint[index % kHintsPerClass].store(index, memory_order_relaxed);
}

void spare_settle(const Arena& arena, uint32_t holder_slot, uint32_t index) {
  const Slot& slot = arena.slot(index);
  if (slot.extent_class.load(memory_order_acquire) <= kPageClass) return;
  const uint64_t warm = slot.warm.load(memory_order_acquire);
  const auto all = static_cast<int64_t>(arena.heap().warm.load(memory_order_relaxed));
  if (warm & kUnsure || warm > kWarmBlockMax)
    cool(arena, holder_slot, index);
  else if (warm > 0 && all > int64_t{kWarmMax} && !cool_another(arena, holder_slot, index))
    cool(arena, holder_slot, index);
}

uint64_t spares_trim(const Arena& arena, OwnerId me) {
  const uint32_t self = owner_slot(me);
  const uint32_t reserved = arena.header().slots_reserved.load(memory_order_acquire);
  Word& dropping = arena.participant(self).dropping;
  uint64_t given = 0;
  for (uint32_t i = 1; i < reserved; i++) {
    const Slot& slot = arena.slot(i);
    if (header_kind(slot.header.load(memory_order_acquire)) != kSpare) continue;
    if (slot.extent_class.load(memory_order_acquire) <= kPageClass) continue;
    if (slot.warm.load(memory_order_acquire) == 0) continue;
    dropping.store(i, memory_order_seq_cst);  // P3
    given += cool(arena, self, i);
    dropping.store(0, memory_order_release);
  }
  return given;
}

void spares_count(const Arena& arena) {
  HeapHeader& heap = arena.heap();
  uint32_t spares[kClassMax] = {};
  uint64_t warm = 0;
  const uint32_t reserved = arena.header().slots_reserved.load(memory_order_acquire);
  for (uint32_t i = 1; i < reserved; i++) {
    const Slot& slot = arena.slot(i);
    if (header_kind(slot.header.load(memory_order_acquire)) != kSpare) continue;
    spares[slot.extent_class.load(memory_order_acquire) - 1]++;
    warm += slot.warm.load(memory_order_acquire) & ~kUnsure;
  }
  for (uint32_t c = 0; c < kClassMax; c++) heap.classes[c].spares.store(spares[c], memory_order_relaxed);
  heap.warm.store(warm, memory_order_relaxed);
}

}  // namespace mp
