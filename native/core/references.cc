#include "core/references.h"

#include "core/keepers.h"
#include "core/objects.h"

namespace mp {

using std::memory_order_acquire;

uint64_t block_bytes(const Arena& arena, const Record& record, const Reference* references) {
  uint64_t bytes = 0;
  const uint32_t reserved = arena.header().slots_reserved.load(memory_order_acquire);
  for (uint32_t i = 0; i < blocks_in(record.meta); i++)
    if (references[i].index < reserved) bytes += arena.slot(references[i].index).bytes;
  return bytes;
}

bool are_sound(const Arena& arena, const Reference* references, uint32_t count) {
  const uint32_t reserved = arena.header().slots_reserved.load(memory_order_acquire);
  for (uint32_t i = 0; i < count; i++) {
    const Reference& r = references[i];
    if (r.index == 0 || r.index >= reserved) return false;
    const auto header = static_cast<uint32_t>(arena.slot(r.index).header.load(memory_order_acquire));
    if ((header & ~uint32_t{kDying}) != r.header) return false;
  }
  return true;
}

platform::Failure hold_each(const Arena& arena, OwnerId me, const Reference* references, uint32_t count) {
  platform::Failure failed;
  for (uint32_t i = 0; i < count && !failed; i++)
    object_open(arena, me, references[i].index, references[i].header >> 8, references[i].header & kKindMask,
                &failed);
  return failed;
}

platform::Failure keep_each(const Arena& arena, uint32_t keeper, const Reference* references,
                            uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (auto failed = keeper_set(arena, keeper, references[i].index)) return failed;
  return {};
}

bool ring_refers_to(const Ring& ring, uint32_t head, uint32_t until, uint32_t tail, uint32_t index) {
  if (tail - head > ring.units) return true;
  while (static_cast<int32_t>(until - head) > 0) {
    uint32_t at;
    Record r;
    if (!ring_front(ring, head, tail, &at, &r)) return true;
    const uint32_t references = references_at(at, r);
    for (uint32_t i = 0; i < references_in(r.meta); i++)
      if (ring.reference_at(references + i).index == index) return true;
    head = at + static_cast<uint32_t>(record_units(r));
  }
  return false;
}

}  // namespace mp
