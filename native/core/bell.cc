#include "core/bell.h"

#include "core/monitor.h"
#include "core/objects.h"
#include "core/participants.h"
#include "core/point.h"
#include "core/queue.h"

namespace mp {
namespace {

using std::memory_order_acquire;

bool has_open(const Arena& arena, uint32_t participant, uint32_t index) {
  if (!arena.plan->has_objects) return true;
  const uint32_t region = 1u << (index / kSlotsPerRegion);
  return (arena.participant(participant).regions.load(memory_order_acquire) & region) != 0 &&
         (arena.holder_cell(participant, index).load(memory_order_acquire) & holder_bit(index)) != 0;
}

bool is_queue(const Arena& arena, uint32_t index) {
  return header_kind(arena.slot(index).header.load(memory_order_acquire)) == kQueue;
}

/// Where strangers may lose marks: seats of processes that are no more, by their pids.
void drop_vanished(const Arena& arena, uint32_t index, LatchOwner as) {
  if (!is_monitor(arena.kind)) return;
  const uint32_t high = arena.header().participant_high.load(memory_order_acquire);
  for (uint32_t s = 1; s <= high && s < arena.plan->participant_max; s++) {
    const OwnerId owner = seat_beside(arena, s).owner.load(memory_order_acquire);
    if (owner != 0 && owner_slot(owner) == s && owner != (as & kOwnerMask) && owner_vanished(arena, owner))
      monitor_drop(arena, index, owner, as);
  }
}

}  // namespace

void bell_expect(const BellWait& wait) {
  if (wait.awaited != nullptr) wait.awaited->store(sleep_mark(wait.value), std::memory_order_seq_cst);
  if (wait.sleeps == nullptr) return;
  const uint32_t mark = wait.value | 1;
  uint32_t latest = wait.sleeps->load(std::memory_order_seq_cst);
  while (comes_before(latest, mark) &&
         !wait.sleeps->compare_exchange_weak(latest, mark, std::memory_order_seq_cst)) {
  }
  MP_POINT("bell.expected");
}

void bell_sweep(const BellWait& wait, uint32_t as) {
  participants_sweep(wait.arena);
  if (wait.arena.plan->has_objects && is_queue(wait.arena, wait.index))
    queue_look_over(wait.arena, wait.index, as);
  if (wait.arena.plan->token_form == platform::TokenForm::apart) drop_vanished(wait.arena, wait.index, as);
}

uint32_t bell_peers(const BellWait& wait, platform::Watch (&peers)[kPeersMax]) {
  const Arena& arena = wait.arena;
  uint32_t count = 0;
  uint32_t high = arena.header().participant_high.load(memory_order_acquire);
  if (high >= arena.plan->participant_max) high = arena.plan->participant_max - 1;
  for (uint32_t slot = 1; slot <= high && count < kPeersMax; slot++) {
    if (slot == owner_slot(wait.me) || !has_open(arena, slot, wait.index)) continue;
    const uint32_t state = arena.participant(slot).state.load(memory_order_acquire);
    if (!(state & kLive)) continue;
    // A dead one's token would end every park at once: whoever sweeps it rings, and the ceiling does the rest.
    platform::Watch token{nullptr, 0};
    if (!owner_dead(arena, owner_id(slot, state >> 1), &token)) peers[count++] = token;
  }
  return count;
}

Outcome bell_wait(const BellWait& wait, int64_t deadline, Word* interrupt, bool (*ended)(void*),
                  void* context) {
  const uint32_t interrupts = interrupt ? interrupt->load(memory_order_acquire) : 0;
  const int64_t since = platform::monotonic_now();
  for (int64_t now = since;; now = platform::monotonic_now()) {
    platform::Watch watch[4 + kPeersMax], peers[kPeersMax];
    const uint32_t peer_count = bell_peers(wait, peers);
    bell_expect(wait);
    if (bell_rung(wait)) return Outcome::acquired;
    if (now >= deadline) return Outcome::timed_out;
    if ((interrupt && interrupt->load(memory_order_acquire) != interrupts) ||
        (ended && now - since >= kStarvingAfterNs && ended(context)))
      return Outcome::interrupted;
    uint32_t count = 0;
    watch[count++] = {&wait.word, wait.value};
    for (const platform::Watch& w : wait.also)
      if (w.word != nullptr) watch[count++] = w;
    if (interrupt) watch[count++] = {interrupt, interrupts};
    for (uint32_t i = 0; i < peer_count; i++) watch[count++] = peers[i];
    const int64_t wake_at = now + (platform::token_is_polled() ? kPolledCeilingNs : kParkCeilingNs);
    MP_POINT("bell.about_to_park");
    platform::park(watch, count, wake_at < deadline ? wake_at : deadline);
    if (!bell_rung(wait)) bell_sweep(wait, wait.me);
  }
}

}  // namespace mp
