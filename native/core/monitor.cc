#include "core/monitor.h"

#include "core/barrier.h"
#include "core/condition.h"
#include "core/objects.h"
#include "core/point.h"
#include "core/queue.h"
#include "core/rwlock.h"
#include "core/semaphore.h"

namespace mp {
namespace {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_seq_cst;

/// What a kind has to say about a seat whose participant is gone, before it is taken out.
void give_back(const Arena& arena, uint32_t kind, Monitor& monitor, Seat& seat, Latched& latched) {
  if (kind == kSemaphore) semaphore_mourn(monitor, seat);
  if (kind == kRWLock) rwlock_mourn(monitor, seat);
  if (kind == kCondition) condition_mourn(arena, monitor, seat, latched);
  if (kind == kQueue) queue_mourn(monitor, seat);
}

void settle(const Arena& arena, uint32_t kind, Monitor& monitor, Latched& latched) {
  if (kind == kSemaphore) semaphore_settle(arena, monitor, latched);
  if (kind == kRWLock) rwlock_settle(arena, monitor, latched);
  if (kind == kCondition) condition_settle(arena, monitor);
  if (kind == kBarrier) barrier_settle(arena, monitor, latched);
  if (kind == kQueue) queue_settle(arena, monitor, latched);
}

/// Whether a seat that does not wait (any more) may have something to hear of: then its bell may ring once too often.
bool may_have_news(uint32_t kind, const Seat& seat) {
  const uint64_t hold = seat.hold.load(memory_order_relaxed);
  if (kind == kSemaphore || kind == kRWLock) return (static_cast<uint32_t>(hold) & kSeatState) != kSeatWaits;
  return true;
}

/// Takes a seat out of its monitor (M3).
void unlink(const Arena& arena, Monitor& monitor, Seat& seat) {
  if (arena.plan->has_objects) {
    Word* from = &monitor.first_seat;
    while (uint32_t i = from->load(memory_order_relaxed)) {
      Seat& s = seat_at(arena, i);
      if (&s == &seat) {
        from->store(seat.next.load(memory_order_relaxed), memory_order_relaxed);
        break;
      }
      from = &s.next;
    }
  }
  MP_POINT("monitor.unlinked");
  seat.owner.store(0, memory_order_relaxed);
}

}  // namespace

bool is_monitor(uint32_t kind) {
  return kind == kSemaphore || kind == kRWLock || kind == kCondition || kind == kBarrier || kind == kQueue;
}

uint32_t monitor_kind(const Arena& arena, uint32_t index) {
  if (!arena.plan->has_objects) return arena.kind;
  return header_kind(arena.slot(index).header.load(memory_order_acquire)) & ~uint32_t{kDying};
}

platform::Failure monitor_join(const Arena& arena, uint32_t index, OwnerId me, uint32_t* seat_index) {
  *seat_index = 0;
  if (arena.plan->has_objects)
    if (auto failed = object_create(arena, me, kSeat, index, 0, seat_index)) return failed;
  MP_POINT("monitor.seat_made");
  Monitor& monitor = monitor_at(arena, index);
  const Latched latched(arena, index, me);
  Seat& seat = arena.plan->has_objects ? seat_at(arena, *seat_index) : seat_beside(arena, owner_slot(me));
  seat.hold.store(0, memory_order_relaxed);
  seat.heard.store(seat.bell.load(memory_order_relaxed), memory_order_relaxed);
  seat.owner.store(me, memory_order_relaxed);
  if (arena.plan->has_objects) {
    seat.next.store(monitor.first_seat.load(memory_order_relaxed), memory_order_relaxed);
    MP_POINT("monitor.seat_filled");
    monitor.first_seat.store(*seat_index, memory_order_relaxed);
  }
  MP_POINT("monitor.joined");
  return {};
}

void monitor_leave(const Arena& arena, uint32_t index, OwnerId me, uint32_t seat_index) {
  Monitor& monitor = monitor_at(arena, index);
  {
    Latched latched(arena, index, me);
    unlink(arena, monitor,
           arena.plan->has_objects ? seat_at(arena, seat_index) : seat_beside(arena, owner_slot(me)));
    settle(arena, monitor_kind(arena, index), monitor, latched);
  }
  if (arena.plan->has_objects) object_close(arena, owner_slot(me), seat_index);
}

void monitor_drop(const Arena& arena, uint32_t index, OwnerId dead, LatchOwner as) {
  Latched latched(arena, index, as, (as & kOwnerMask) == dead);
  latched.mourn(arena, index, dead);
}

Latched::Latched(const Arena& arena, uint32_t index, LatchOwner as, bool inherits)
    : latch_(monitor_at(arena, index).latch), as_(as) {
  if (const OwnerId dead = latch_take(arena, latch_, as, inherits)) repair(arena, index, dead);  // T2
}

/// Takes the seats of the dead out, counts again, and grants what that allows. May be repeated.
void Latched::mourn(const Arena& arena, uint32_t index, OwnerId dead) {
  const uint32_t kind = monitor_kind(arena, index);
  Monitor& monitor = monitor_at(arena, index);
  MP_POINT("monitor.mourning");
  each_seat(arena, monitor, [&](Seat& seat) {
    if (seat.owner.load(memory_order_relaxed) != dead) return true;
    give_back(arena, kind, monitor, seat, *this);
    MP_POINT("monitor.given_back");
    unlink(arena, monitor, seat);
    return true;
  });
  if (kind == kBarrier) barrier_desert(monitor, dead);
  settle(arena, kind, monitor, *this);
}

void Latched::repair(const Arena& arena, uint32_t index, OwnerId dead) {
  if (monitor_kind(arena, index) == kQueue) queue_doubt(monitor_at(arena, index));
  mourn(arena, index, dead);
  // It may have died between a change of a seat and its bell.
  const uint32_t kind = monitor_kind(arena, index);
  each_seat(arena, monitor_at(arena, index), [&](Seat& seat) {
    if (may_have_news(kind, seat)) ring(seat);
    return true;
  });
}

Latched::~Latched() {
  latch_leave(latch_, as_);
  MP_POINT("monitor.left");
  for (uint32_t i = 0; i < rung_; i++) platform::unpark(bells_[i], platform::kAll);
}

void Latched::ring(Seat& seat) {
  seat.bell.fetch_add(1, memory_order_seq_cst);
  MP_POINT("monitor.rung");
  if (rung_ < sizeof bells_ / sizeof bells_[0])
    bells_[rung_++] = &seat.bell;
  else
    platform::unpark(&seat.bell, platform::kAll);
}

}  // namespace mp
