#include "core/latch.h"

#include "core/lock.h"
#include "core/participants.h"
#include "core/point.h"
#include "core/spin.h"

namespace mp {
namespace {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_seq_cst;

/// The latch is short: most of those who find it held have it after some rounds.
bool spin(Word& latch, LatchOwner as) {
  return spin_until([&] {
    uint32_t word = latch.load(memory_order_relaxed);  // relaxed: the compare-and-swap decides
    return word == 0 && latch.compare_exchange_strong(word, as, memory_order_seq_cst);
  });
}

}  // namespace

OwnerId latch_take(const Arena& arena, Word& latch, LatchOwner as, bool inherits) {
  uint32_t word = 0;
  if (latch.compare_exchange_strong(word, as, memory_order_seq_cst)) return 0;  // SYNC latch.leave
  const OwnerId self = as & kOwnerMask;
  if (inherits && (word & kOwnerMask) == self) return self;
  if (spin(latch, as)) return 0;
  bool parked = false;
  for (;;) {
    word = latch.load(memory_order_acquire);
    const OwnerId owner = word & kOwnerMask;
    if (owner == 0) {
      if (!latch.compare_exchange_strong(word, as | (parked ? kWaiters : 0), memory_order_seq_cst)) continue;
      return 0;
    }
    // Our own other thread is alive as long as we are.
    platform::Watch token{nullptr, 0};
    const bool own = owner == self;
    if (!own &&
        (owner_dead(arena, owner, &token) ||
         (parked && arena.plan->token_form == platform::TokenForm::apart && owner_vanished(arena, owner)))) {
      death_confirm(arena, owner, token);
      MP_POINT("latch.death_confirmed");
      if (!latch.compare_exchange_strong(word, as | kWaiters, memory_order_seq_cst)) continue;
      return owner;
    }
    if (!(word & kWaiters)) {
      if (!latch.compare_exchange_strong(word, word | kWaiters, memory_order_seq_cst)) continue;
      word |= kWaiters;
    }
    MP_POINT("latch.about_to_park");
    parked = true;
    const platform::Watch watch[2] = {{&latch, word}, token};
    const int64_t ceiling = platform::token_is_polled() ? kPolledCeilingNs : kParkCeilingNs;
    platform::park(watch, token.word == nullptr ? 1 : 2, platform::monotonic_now() + ceiling);
  }
}

void latch_leave(Word& latch, LatchOwner as) {
  uint32_t word = as;
  if (latch.compare_exchange_strong(word, 0, memory_order_seq_cst)) return;  // SYNC latch.leave
  while ((word & ~kWaiters) == as && !latch.compare_exchange_strong(word, 0, memory_order_seq_cst)) {
  }
  MP_POINT("latch.left");
  platform::unpark(&latch, 1);
}

}  // namespace mp
