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

/// The dead one may have died by its helper's hand: from now on it is held as we will leave it.
void inherit(Word& latch, LatchOwner as, uint32_t word) {
  while (!latch.compare_exchange_weak(word, as | (word & kWaiters), memory_order_seq_cst)) {
  }
}

/// Takes the latch from a dead owner (T2). False: look again. `unswept`: a sweeper may come any time and inherit it.
bool take_over(const Arena& arena, Word& latch, LatchOwner as, uint32_t word, bool unswept) {
  const OwnerId dead = word & kOwnerMask;
  if (unswept && !dead_hold(arena, dead)) {
    platform::yield();
    return false;
  }
  MP_POINT("latch.dead_held");
  const bool taken = latch.compare_exchange_strong(word, as | kWaiters, memory_order_seq_cst);
  if (unswept) dead_let_go(arena, dead);
  return taken;
}

}  // namespace

OwnerId latch_take(const Arena& arena, Word& latch, LatchOwner as, bool inherits) {
  uint32_t word = 0;
  if (latch.compare_exchange_strong(word, as, memory_order_seq_cst)) return 0;  // SYNC latch.leave
  const OwnerId self = as & kOwnerMask;
  if (inherits && (word & kOwnerMask) == self) {
    inherit(latch, as, word);
    return self;
  }
  if (spin(latch, as)) return 0;
  bool parked = false;
  OwnerId seen = 0;
  int64_t seen_at = 0;
  for (;;) {
    word = latch.load(memory_order_acquire);
    const OwnerId owner = word & kOwnerMask;
    if (owner == 0) {
      if (!latch.compare_exchange_strong(word, as | (parked ? kWaiters : 0), memory_order_seq_cst)) continue;
      return 0;
    }
    const int64_t now = platform::monotonic_now();
    if (owner != seen) seen = owner, seen_at = now;
    // Our own other thread is alive as long as we are.
    platform::Watch token{nullptr, 0};
    const bool own = owner == self;
    if (!own && owner_dead(arena, owner, &token)) {
      death_confirm(arena, owner, token);
      MP_POINT("latch.death_confirmed");
      if (take_over(arena, latch, as, word, token.word != nullptr)) return owner;
      continue;
    }
    if (!own && now - seen_at >= kParkCeilingNs && arena.plan->token_form == platform::TokenForm::apart &&
        owner_vanished(arena, owner)) {
      death_confirm(arena, owner, token);
      if (take_over(arena, latch, as, word, false)) return owner;
      continue;
    }
    if (!(word & kWaiters)) {
      if (!latch.compare_exchange_strong(word, word | kWaiters, memory_order_seq_cst)) continue;
      word |= kWaiters;
    }
    MP_POINT("latch.about_to_park");
    parked = true;
    const platform::Watch watch[2] = {{&latch, word}, token};
    const int64_t ceiling = platform::token_is_polled() ? kPolledCeilingNs : kParkCeilingNs;
    platform::park(watch, token.word == nullptr ? 1 : 2, now + ceiling);
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
