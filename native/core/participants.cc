#include "core/participants.h"

#include <bit>

#include "core/blocks.h"
#include "core/keepers.h"
#include "core/lock.h"
#include "core/monitor.h"
#include "core/objects.h"
#include "core/pipe.h"
#include "core/point.h"

namespace mp {
namespace {

using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

constexpr uint32_t state_of(uint32_t generation, bool live) {
  return (generation % kGenerationMax) << 1 | (live ? kLive : 0);
}
constexpr bool is_live(uint32_t state) { return state & kLive; }

/// Lets go of what a dead or leaving participant has of one object, but for its reference.
void abandon(const Arena& arena, uint32_t index, OwnerId owner) {
  const uint32_t kind = monitor_kind(arena, index);
  if (is_monitor(kind)) {
    // Once it is ending its seats are out, and nobody waits for who has a latch in its name (T5).
    if (!(arena.participant(owner_slot(owner)).state.load(memory_order_acquire) & kEnding))
      monitor_drop(arena, index, owner, owner);
  } else if (kind == kPipeEnd) {
    pipe_end_abandon(arena, index, owner);
  } else if (kind != kSeat && kind != kEvent && kind != kParcel && kind != kRing) {
    lock_abandon(arena.slot(index), owner);
  }
}

/// Calls f(index) for every object that participant `slot` has its bit for.
template <class F>
void each_held(const Arena& arena, uint32_t slot, F f) {
  const uint32_t regions = arena.participant(slot).regions.load(memory_order_acquire);
  const uint32_t reserved = arena.header().slots_reserved.load(memory_order_acquire);
  for (uint32_t region = 0; region * kSlotsPerRegion < reserved; region++) {
    if (!(regions & 1u << region)) continue;
    for (uint32_t at = region * kSlotsPerRegion; at < (region + 1) * kSlotsPerRegion; at += 32) {
      uint32_t bits = arena.holder_cell(slot, at).load(memory_order_acquire);
      for (; bits; bits &= bits - 1) f(at + static_cast<uint32_t>(std::countr_zero(bits)));
    }
  }
}

/// Closes everything participant `slot` has its bit for, and abandons what it holds locked.
void give_back_once(const Arena& arena, uint32_t slot) {
  Participant& p = arena.participant(slot);
  const OwnerId owner = owner_id(slot, p.state.load(memory_order_acquire) >> 1);
  if (!arena.plan->has_objects) return abandon(arena, 0, owner);
  if (uint32_t index = p.dropping.load(memory_order_acquire)) {  // P3
    object_free_unheld(arena, slot, index);
    MP_POINT("sweep.dropped");
    p.dropping.store(0, memory_order_release);
  }
  // All before the first is closed: a seat and its monitor know of each other.
  each_held(arena, slot, [&](uint32_t index) {
    abandon(arena, index, owner);
    MP_POINT("sweep.abandoned");
  });
  each_held(arena, slot, [&](uint32_t index) { object_close(arena, slot, index); });
  keepers_sweep(arena, slot, true);  // it may have been emptying one
}

/// Gives back everything participant `slot` holds. The caller has taken its token (P1). Repeating any part is harmless.
void give_back(const Arena& arena, uint32_t slot) {
  give_back_once(arena, slot);
  arena.participant(slot).state.fetch_or(kEnding, memory_order_seq_cst);
  MP_POINT("sweep.ending");
  // Once more: a bit that was granted behind our back, but before the ending, may have kept somebody from freeing.
  give_back_once(arena, slot);
}

/// Clears the bits that were granted to participant `slot` when it had just gone (P4), and what its waits left (P5).
void clear_late_bits(const Arena& arena, uint32_t slot) {
  arena.participant(slot).waits.store(0, memory_order_relaxed);
  if (!arena.plan->has_objects) return;
  const uint32_t regions = arena.participant(slot).regions.load(memory_order_acquire);
  for (uint32_t region = 0; region < 32; region++) {
    if (!(regions & 1u << region)) continue;
    for (uint32_t at = region * kSlotsPerRegion; at < (region + 1) * kSlotsPerRegion; at += 32) {
      Word& cell = arena.holder_cell(slot, at);
      // relaxed: what comes later than this look is later than the clearing, too
      if (cell.load(memory_order_relaxed) != 0) cell.store(0, memory_order_seq_cst);
      Word& waits = arena.waiter_cell(slot, at);
      if (waits.load(memory_order_relaxed) != 0) waits.store(0, memory_order_relaxed);
    }
  }
}

/// Ends a generation after give_back: from here on its ids are nobody's.
void end_generation(Participant& p) {
  const uint32_t generation = p.state.load(memory_order_relaxed) >> 1;
  p.state.store(state_of(generation + 1, false), memory_order_seq_cst);
  MP_POINT("sweep.generation_ended");
}

void confirm_end(const Participant& p) {
  platform::confirm_death(p.pid.load(memory_order_relaxed), p.pid_namespace.load(memory_order_relaxed));
}

/// Backs the pages of a participant that has never been. The header's count says which have: they are backed.
platform::Failure reserve_participant(const Arena& arena, uint32_t slot) {
  const ArenaPlan& plan = *arena.plan;
  if (plan.has_objects || slot <= arena.header().participant_high.load(memory_order_acquire)) return {};
  const size_t at = (plan.participants + slot * plan.participant_stride) / kPage * kPage;
  return platform::memory_reserve(arena.fd, at, kPage);
}

/// Takes the token of a participant that seems to have died. False: it is alive, free, or somebody else is at it.
bool take_dead(const Arena& arena, uint32_t slot) {
  platform::Token* token = arena.token(slot);
  const auto form = arena.plan->token_form;
  const uint32_t value = platform::token_word(token, form)->load(memory_order_acquire);
  if (!is_live(arena.participant(slot).state.load(memory_order_acquire)) ||
      !platform::token_dead(token, value))
    return false;
  const auto take = platform::token_take(token, form);
  return take != platform::TokenTake::busy && take != platform::TokenTake::unsupported;
}

/// Takes the token of a dead participant and sweeps it. False: as take_dead.
bool sweep(const Arena& arena, uint32_t slot) {
  if (!take_dead(arena, slot)) return false;
  Participant& p = arena.participant(slot);
  MP_POINT("sweep.token_taken");
  const bool dead = is_live(p.state.load(memory_order_acquire));
  if (dead) {
    confirm_end(p);
    give_back(arena, slot);
    end_generation(p);
  }
  platform::token_release(arena.token(slot), arena.plan->token_form);
  return dead;
}

}  // namespace

OwnerId participant_enter(const Arena& arena, const Identity& who, platform::Failure* failed) {
  for (uint32_t slot = 1; slot < arena.plan->participant_max; slot++) {
    if ((*failed = reserve_participant(arena, slot))) return 0;
    Participant& p = arena.participant(slot);
    const auto take = platform::token_take(arena.token(slot), arena.plan->token_form);
    if (take == platform::TokenTake::unsupported) {
      *failed = {95 /* EOPNOTSUPP */, "token_take"};
      return 0;
    }
    if (take == platform::TokenTake::busy) continue;
    MP_POINT("enter.token_taken");
    if (is_live(p.state.load(memory_order_acquire))) {
      confirm_end(p);
      give_back(arena, slot);
      end_generation(p);
    }
    clear_late_bits(arena, slot);
    Word& high = arena.header().participant_high;
    uint32_t h = high.load(memory_order_relaxed);
    while (h < slot && !high.compare_exchange_weak(h, slot, memory_order_acq_rel)) {
    }
    // release: who still looks at the last generation and sees one of these sees that it is over, too
    p.pid.store(who.pid, memory_order_release);
    p.thread.store(who.thread, memory_order_release);
    p.environment.store(who.environment, memory_order_release);
    p.start_time.store(who.start_time, memory_order_release);
    p.pid_namespace.store(who.pid_namespace, memory_order_release);
    p.name[0].store(0, memory_order_release);
    MP_POINT("enter.fields_written");
    const uint32_t generation = ((p.state.load(memory_order_relaxed) >> 1) + 1) % kGenerationMax;
    p.state.store(state_of(generation, true), memory_order_seq_cst);
    MP_POINT("enter.live");
    return owner_id(slot, generation);
  }
  *failed = {11 /* EAGAIN */, "participant_enter"};
  return 0;
}

void participant_leave(const Arena& arena, OwnerId me) {
  const uint32_t slot = owner_slot(me);
  Participant& p = arena.participant(slot);
  give_back(arena, slot);
  MP_POINT("leave.given_back");
  end_generation(p);
  platform::token_release(arena.token(slot), arena.plan->token_form);
}

void participant_rename(const Arena& arena, OwnerId me, const char* name) {
  auto* to = arena.participant(owner_slot(me)).name;
  uint32_t n = 0;
  while (n < kNameBytes - 1 && name[n]) n++;
  if (name[n]) {
    while (n > 0 && (static_cast<unsigned char>(name[n]) & 0xc0) == 0x80)
      n--;  // not in the middle of a character
  }
  for (uint32_t i = 0; i < n; i++) to[i].store(name[i], memory_order_relaxed);  // relaxed: may be read torn
  to[n].store(0, memory_order_relaxed);
}

uint32_t participants_sweep(const Arena& arena) {
  uint32_t swept = 0;
  const uint32_t high = arena.header().participant_high.load(memory_order_acquire);
  for (uint32_t slot = 1; slot <= high && slot < arena.plan->participant_max; slot++)
    swept += sweep(arena, slot) ? 1 : 0;
  // The dead may have left them wrong.
  if (swept > 0 && arena.plan->has_objects) spares_count(arena);
  return swept;
}

bool owner_dead(const Arena& arena, OwnerId owner, platform::Watch* watch) {
  if (owner_slot(owner) >= arena.plan->participant_max) return true;
  Participant& p = arena.participant(owner_slot(owner));
  platform::Token* token = arena.token(owner_slot(owner));
  Word* word = platform::token_word(token, arena.plan->token_form);
  const uint32_t value = word->load(memory_order_acquire);
  // The token is read before the state: the other way round a slot taken anew in between would look like the old owner.
  if (p.state.load(memory_order_acquire) != state_of(owner_generation(owner), true)) return true;
  *watch = {word, value};
  return platform::token_dead(token, value);
}

void death_confirm(const Arena& arena, OwnerId owner, const platform::Watch& token) {
  if (token.word == nullptr)
    return;  // a generation that is over has been swept, and its death confirmed before
  // The kernel wakes one watcher of a token; it may be waiting for something else of the same owner.
  platform::unpark(token.word, platform::kAll);
  Identity dead;
  char name[kNameBytes];
  if (participant_info(arena, owner, &dead, name)) platform::confirm_death(dead.pid, dead.pid_namespace);
}

bool dead_hold(const Arena& arena, OwnerId dead) {
  const uint32_t slot = owner_slot(dead);
  if (!take_dead(arena, slot)) return false;
  if (participant_stands(arena, dead)) return true;
  dead_let_go(arena, dead);
  return false;
}

void dead_let_go(const Arena& arena, OwnerId dead) {
  platform::token_release(arena.token(owner_slot(dead)), arena.plan->token_form);
}

bool owner_vanished(const Arena& arena, OwnerId owner) {
  Identity who;
  char name[kNameBytes];
  if (!participant_info(arena, owner, &who, name) || who.pid == 0) return false;
  if (who.pid_namespace != 0 && who.pid_namespace != platform::pid_namespace()) return false;
  return platform::process_start_time(who.pid) != who.start_time;
}

uint32_t lock_waiters(const Arena& arena, const Slot& slot) {
  const uint32_t index = arena.index_of(slot);
  uint32_t high = arena.header().participant_high.load(memory_order_acquire), count = 0;
  if (high >= arena.plan->participant_max) high = arena.plan->participant_max - 1;
  for (uint32_t s = 1; s <= high; s++) {
    const Participant& p = arena.participant(s);
    const uint32_t state = p.state.load(memory_order_acquire);
    if (!(state & kLive)) continue;
    if (arena.plan->has_objects) {
      if (!(p.regions.load(memory_order_acquire) & 1u << index / kSlotsPerRegion)) continue;
      if (!(arena.waiter_cell(s, index).load(memory_order_acquire) & holder_bit(index))) continue;
    } else if (p.waits.load(memory_order_acquire) == 0) {
      continue;
    }
    platform::Watch unused;
    count += owner_dead(arena, owner_id(s, state >> 1), &unused) ? 0 : 1;
  }
  return count;
}

bool participant_stands(const Arena& arena, OwnerId me) {
  return arena.participant(owner_slot(me)).state.load(memory_order_acquire) ==
         state_of(owner_generation(me), true);
}

bool participant_info(const Arena& arena, OwnerId owner, Identity* who, char (&name)[kNameBytes]) {
  if (owner_slot(owner) >= arena.plan->participant_max) return false;
  const Participant& p = arena.participant(owner_slot(owner));
  const uint32_t live = state_of(owner_generation(owner), true);
  if (p.state.load(memory_order_acquire) != live) return false;
  // acquire: the second look at `state` comes after these
  *who = {p.pid.load(memory_order_acquire), p.thread.load(memory_order_acquire),
          p.environment.load(memory_order_acquire), p.start_time.load(memory_order_acquire),
          p.pid_namespace.load(memory_order_acquire)};
  for (uint32_t i = 0; i < kNameBytes; i++) name[i] = p.name[i].load(memory_order_acquire);
  name[kNameBytes - 1] = 0;
  return p.state.load(memory_order_acquire) == live;
}

}  // namespace mp
