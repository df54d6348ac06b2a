#include "core/lock.h"
#include "support/check.h"

using namespace mp;

TEST("owner: slot and generation come back out of an id") {
  for (uint32_t slot : {1u, 2u, 4095u})
    for (uint32_t generation : {0u, 1u, 77u, kGenerationMax - 1}) {
      const OwnerId id = owner_id(slot, generation);
      CHECK(owner_slot(id) == slot && owner_generation(id) == generation);
      CHECK((id & ~kOwnerMask) == 0);
      CHECK(owner_slot(id | kWaiters | kStarving) == slot &&
            owner_generation(id | kWaiters | kStarving) == generation);
    }
}

TEST("owner: a generation wraps") { CHECK(owner_id(3, kGenerationMax) == owner_id(3, 0)); }

TEST("owner: nobody and abandoned are no participant") {
  CHECK(kAbandoned != 0 && owner_slot(kAbandoned) == 0);
  CHECK((kWaiters & kOwnerMask) == 0 && (kStarving & kOwnerMask) == 0);
}
