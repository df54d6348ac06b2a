#include "core/lock.h"

#include "core/participants.h"
#include "core/point.h"
#include "core/spin.h"

namespace mp {
namespace {

using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_seq_cst;

constexpr OwnerId owner_of(uint32_t word) { return word & kOwnerMask; }
constexpr bool is_free(uint32_t word) { return owner_of(word) == 0 || owner_of(word) == kAbandoned; }

/// Turns a claim whose holder is dead back to nobody.
void reset_dead_claim(const Arena& arena, Slot& slot, uint32_t claim) {
  platform::Watch unused;
  if (owner_dead(arena, owner_of(claim), &unused))
    slot.claim.compare_exchange_strong(claim, 0, memory_order_seq_cst);
}

/// Sets or clears the attempt's waiter bit (L7).
void count_waiter(Contender& c, bool waits) {
  if (c.counted == waits) return;
  c.counted = waits;
  const uint32_t self = owner_slot(c.me);
  if (!c.arena.plan->has_objects) return c.arena.participant(self).waits.store(waits);
  const uint32_t index = c.arena.index_of(c.slot), bit = holder_bit(index);
  Word& cell = c.arena.waiter_cell(self, index);
  if (waits)
    cell.fetch_or(bit, memory_order_acq_rel);
  else
    cell.fetch_and(~bit, memory_order_acq_rel);
}

/// The lock is ours: nobody needs to hand it to us any more.
void drop_claim(Contender& c) {
  count_waiter(c, false);
  if (!c.claimed) return;
  uint32_t mine = c.me;
  c.slot.claim.compare_exchange_strong(mine, 0, memory_order_seq_cst);
  c.claimed = false;
}

/// Becomes the starving waiter, if nobody is. Keeps c.claimed true while a hand-over that may be ours is under way.
void claim_handover(Contender& c) {
  for (;;) {
    uint32_t claim = c.slot.claim.load(memory_order_acquire);
    if (claim == 0) {
      if (!c.slot.claim.compare_exchange_strong(claim, c.me, memory_order_seq_cst)) continue;
      MP_POINT("lock.claimed");
      claim = c.me;
    }
    if (claim == c.me) {
      c.claimed = true;
      return;
    }
    platform::Watch unused;
    if (owner_dead(c.arena, owner_of(claim), &unused)) {
      reset_dead_claim(c.arena, c.slot, claim);
      continue;
    }
    // If not: what we had was consumed by a releaser that never delivered.
    c.claimed = c.claimed && (claim & kHanding) != 0;
    return;
  }
}

/// Takes over from an owner whose token is dead. False: somebody else was first.
bool take_over(Contender& c, uint32_t word, const platform::Watch& token) {
  death_confirm(c.arena, owner_of(word), token);
  MP_POINT("lock.death_confirmed");
  return c.slot.word.compare_exchange_strong(word, c.me | kWaiters, memory_order_seq_cst);
}

/// Whether to look closer than at a token's mark, for having waited long where strangers can lose marks.
bool may_miss_marks(const Contender& c, int64_t now) {
  return c.parked && c.arena.plan->token_form == platform::TokenForm::apart &&
         now - c.since >= kParkCeilingNs;
}

/// Hands a lock that we hold to the waiter that claimed it. False: nobody to hand to, or nothing to hand over.
bool hand_over(const Arena& arena, Slot& slot, OwnerId me) {
  uint32_t grantee = slot.claim.load(memory_order_acquire);
  if (grantee == 0) return false;
  platform::Watch unused;
  if (grantee & kHanding || owner_dead(arena, grantee, &unused)) {
    reset_dead_claim(arena, slot, grantee);
    return false;
  }
  if (!slot.claim.compare_exchange_strong(grantee, kHanding | me, memory_order_seq_cst)) return false;  // L4
  MP_POINT("lock.handing");
  uint32_t word = slot.word.load(memory_order_relaxed), handing = kHanding | me;
  while (owner_of(word) == me) {  // waiters may still add bits; nobody else changes the owner (L3)
    if (!slot.word.compare_exchange_weak(word, grantee | kWaiters, memory_order_seq_cst)) continue;
    MP_POINT("lock.handed");
    slot.claim.compare_exchange_strong(handing, 0, memory_order_seq_cst);
    platform::unpark(&slot.claim, platform::kAll);
    return true;
  }
  // Somebody released for us at the same time. The claim is void: its waiter, if it still waits, claims again.
  slot.claim.compare_exchange_strong(handing, 0, memory_order_seq_cst);
  platform::unpark(&slot.claim, platform::kAll);
  return false;
}

/// Turns a held lock's word to free, and wakes a waiter. False: it is no longer that word.
bool clear(Slot& slot, uint32_t word) {
  if (!slot.word.compare_exchange_strong(word, 0, memory_order_seq_cst)) return false;  // SYNC lock.release
  MP_POINT("lock.cleared");
  if (word & kWaiters) platform::unpark(&slot.word, 1);
  return true;
}

/// A waiter that goes away may be the one that was woken: it sees to it that those who sleep will be woken again (L1).
void pass_on(const Arena& arena, Slot& slot) {
  for (;;) {
    uint32_t word = slot.word.load(memory_order_acquire);
    platform::Watch token{nullptr, 0};
    if (is_free(word)) return platform::unpark(&slot.word, 1);
    // Nobody else may have been woken by the owner's death, either.
    if (owner_dead(arena, owner_of(word), &token)) return platform::unpark(&slot.word, 1);
    if (word & kWaiters) return;
    if (slot.word.compare_exchange_strong(word, word | kWaiters, memory_order_seq_cst)) return;
  }
}

}  // namespace

Step lock_step(Contender& c, int64_t now, ParkPlan* plan) {
  for (;;) {
    uint32_t word = c.slot.word.load(memory_order_acquire);
    const OwnerId owner = owner_of(word);
    if (owner == c.me) {  // handed over to us
      drop_claim(c);      // we may have claimed again after looking at the word and before it was ours
      return Step::acquired;
    }
    if (is_free(word)) {
      const uint32_t bits = (word & kWaiters) | (c.parked ? kWaiters : 0);  // L1: others may sleep still
      if (!c.slot.word.compare_exchange_strong(word, c.me | bits, memory_order_seq_cst))
        continue;  // SYNC lock.release
      MP_POINT("lock.taken");
      drop_claim(c);
      return owner == kAbandoned ? Step::abandoned : Step::acquired;
    }
    platform::Watch token{nullptr, 0};
    if (owner_dead(c.arena, owner, &token) || (may_miss_marks(c, now) && owner_vanished(c.arena, owner))) {
      if (!take_over(c, word, token)) continue;
      drop_claim(c);
      return Step::abandoned;
    }

    if (now - c.since >= kStarvingAfterNs) claim_handover(c);
    const uint32_t bits = kWaiters | (c.claimed ? kStarving : 0);
    if ((word & bits) != bits) {
      if (!c.slot.word.compare_exchange_strong(word, word | bits, memory_order_seq_cst)) continue;
      word |= bits;
    }
    count_waiter(c, true);
    MP_POINT("lock.about_to_park");
    c.parked = true;
    plan->count = 0;
    plan->watch[plan->count++] = {&c.slot.word, word};
    if (c.claimed) {
      const uint32_t claim = c.slot.claim.load(memory_order_acquire);
      if (claim != c.me && !(claim & kHanding)) continue;  // delivered, or void: the word tells
      plan->watch[plan->count++] = {&c.slot.claim, claim};
    }
    plan->watch[plan->count++] = token;
    const int64_t ceiling = platform::token_is_polled() ? kPolledCeilingNs : kParkCeilingNs;
    const int64_t starving_at = c.since + kStarvingAfterNs;
    plan->wake_at =
        !c.claimed && now < starving_at && starving_at < now + ceiling ? starving_at : now + ceiling;
    return Step::park;
  }
}

bool lock_withdraw(Contender& c) {
  count_waiter(c, false);
  for (;;) {
    uint32_t claim = c.slot.claim.load(memory_order_acquire);
    if (c.claimed && claim == c.me) {
      if (!c.slot.claim.compare_exchange_strong(claim, 0, memory_order_seq_cst)) continue;
      c.claimed = false;
    }
    // L4: a hand-over that may be ours is either finished, void, or its releaser is dead.
    if (c.claimed && claim & kHanding && owner_of(c.slot.word.load(memory_order_acquire)) != c.me) {
      reset_dead_claim(c.arena, c.slot, claim);
      platform::yield();
      continue;
    }
    c.claimed = false;
    if (owner_of(c.slot.word.load(memory_order_acquire)) == c.me) return true;
    if (c.parked) pass_on(c.arena, c.slot);
    return false;
  }
}

Outcome lock_try(const Arena& arena, Slot& slot, OwnerId me) {
  for (;;) {
    uint32_t word = slot.word.load(memory_order_acquire);
    platform::Watch token{nullptr, 0};
    if (is_free(word)) {
      if (!slot.word.compare_exchange_strong(word, me | (word & kWaiters), memory_order_seq_cst)) continue;
      return owner_of(word) == kAbandoned ? Outcome::abandoned : Outcome::acquired;
    }
    if (!owner_dead(arena, owner_of(word), &token)) return Outcome::timed_out;
    Contender c{arena, slot, me, 0};
    if (take_over(c, word, token)) return Outcome::abandoned;
  }
}

bool lock_spin(Slot& slot, OwnerId me) {
  return spin_until([&] {
    uint32_t word = slot.word.load(memory_order_relaxed);  // relaxed: the compare-and-swap decides
    return word == 0 &&
           slot.word.compare_exchange_strong(word, me, memory_order_acquire, memory_order_relaxed);
  });
}

Outcome lock_acquire(const Arena& arena, Slot& slot, OwnerId me, int64_t deadline, Word* interrupt,
                     bool (*ended)(void*), void* context) {
  const uint32_t interrupts = interrupt ? interrupt->load(memory_order_acquire) : 0;
  int64_t now = platform::monotonic_now();
  Contender c{arena, slot, me, now};
  ParkPlan plan;
  for (;; now = platform::monotonic_now()) {
    const Step step = lock_step(c, now, &plan);
    if (step != Step::park) return step == Step::acquired ? Outcome::acquired : Outcome::abandoned;
    const bool late = now >= deadline;
    if (late || (interrupt && interrupt->load(memory_order_acquire) != interrupts) ||
        (ended && now - c.since >= kStarvingAfterNs && ended(context))) {
      if (lock_withdraw(c)) return Outcome::acquired;
      return late ? Outcome::timed_out : Outcome::interrupted;
    }
    platform::Watch watch[4] = {plan.watch[0], plan.watch[1], plan.watch[2]};
    if (interrupt) watch[plan.count++] = {interrupt, interrupts};
    platform::park(watch, plan.count, plan.wake_at < deadline ? plan.wake_at : deadline);
  }
}

bool lock_release(const Arena& arena, Slot& slot, OwnerId me) {
  for (;;) {
    const uint32_t word = slot.word.load(memory_order_relaxed);  // relaxed: the compare-and-swap decides
    if (owner_of(word) != me) return false;
    if (word & kStarving && hand_over(arena, slot, me)) return true;
    // hand_over found nobody: a claim that comes now finds the lock free in its next step.
    if (clear(slot, word)) return true;
  }
}

bool lock_release_for(Slot& slot, OwnerId owner) {
  for (;;) {
    const uint32_t word = slot.word.load(memory_order_relaxed);
    if (owner_of(word) != owner) return false;
    if (clear(slot, word)) return true;
  }
}

void lock_abandon(Slot& slot, OwnerId dead) {
  uint32_t word = slot.word.load(memory_order_acquire);
  while (owner_of(word) == dead) {
    if (!slot.word.compare_exchange_weak(word, kAbandoned | (word & kWaiters), memory_order_seq_cst))
      continue;
    MP_POINT("lock.abandoned");
    if (word & kWaiters) platform::unpark(&slot.word, 1);
    return;
  }
}

}  // namespace mp
