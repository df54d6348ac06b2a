// What a message refers to: the shared objects in it, and the blocks that carry its large arrays. The references lie behind
// its payload (ring.h); a keeper holds what they name while the message is under way (keepers.h).
#pragma once

#include "core/ring.h"

namespace mp {

/// Of a record that is not in a ring.
inline const Reference* references_of(const unsigned char* bytes, const Record& record) {
  return reinterpret_cast<const Reference*>(bytes + uint64_t{1 + payload_units(record)} * kUnit);
}

/// The bytes of the blocks that a message refers to.
uint64_t block_bytes(const Arena& arena, const Record& record, const Reference* references);
/// Whether each reference names what its slot holds.
bool are_sound(const Arena& arena, const Reference* references, uint32_t count);
/// Has `me` hold what they name. Upon failure it may hold some already.
platform::Failure hold_each(const Arena& arena, OwnerId me, const Reference* references, uint32_t count);
/// Has the keeper keep what they name. Upon failure it may keep some already.
platform::Failure keep_each(const Arena& arena, uint32_t keeper, const Reference* references, uint32_t count);
/// Whether a message that begins between head and `until` refers to an object, as far as can be known: what cannot be read may.
bool ring_refers_to(const Ring& ring, uint32_t head, uint32_t until, uint32_t tail, uint32_t index);

}  // namespace mp
