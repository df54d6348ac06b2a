// OwnerId: which participant, and which of the participants that used its slot one after the other.
#pragma once

#include <cstdint>

namespace mp {

///   bits   29..12       11..0
///          generation   participant slot, 1..4095
///
/// 0 is nobody. A slot's generation grows with each reuse, so an old id never names its successor.
using OwnerId = uint32_t;

inline constexpr uint32_t kOwnerSlotBits = 12;
inline constexpr uint32_t kOwnerGenerationBits = 18;
inline constexpr uint32_t kParticipantMax = 1u << kOwnerSlotBits;
inline constexpr uint32_t kGenerationMax = 1u << kOwnerGenerationBits;
inline constexpr OwnerId kOwnerMask = (1u << (kOwnerSlotBits + kOwnerGenerationBits)) - 1;

constexpr uint32_t owner_slot(OwnerId id) { return id & (kParticipantMax - 1); }
constexpr uint32_t owner_generation(OwnerId id) { return (id & kOwnerMask) >> kOwnerSlotBits; }
constexpr OwnerId owner_id(uint32_t slot, uint32_t generation) {
  return (generation % kGenerationMax) << kOwnerSlotBits | slot;
}

}  // namespace mp
