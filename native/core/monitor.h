// A monitor: an object on which participants wait for more than one thing, and of which they may hold more than one.
//
// What Semaphore, RWLock, Condition and Barrier have in common: a latch, some fields, and a seat for each participant that
// has used it. A seat says what its participant holds of the object and what it waits for; it is the only place that does.
//
//   Monitor   latch | first seat | fields of the kind | how many seats wait
//                       |
//                     Seat (of participant 7) → Seat (of participant 3) → …
//
// In the tree's arena a seat is an object of its own that only its participant holds, and the seats of a monitor are a list.
// In the arena of a named one the seat of participant s lies beside it (named_lock.h), and all of them are looked through.
//
// M1  Everything but `bell`, `heard` and the list's own seat numbers is read and written under the latch.
// M2  What a participant holds and waits for changes by one store to `hold`. The monitor's sums (available, readers, waiting,
//     …) follow from the seats; who takes a latch over takes the dead one's seats out and counts again, so a death between
//     two stores miscounts nothing.
// M3  A seat is linked and unlinked by one store each. It is in the list from its first use to its participant's close,
//     end, or death.
// M4  A waiting seat is granted what it waits for by whoever makes that possible, in the order of their tickets, and its
//     bell rung. It needs no latch to learn that; nobody overtakes it, and nobody waits for its answer.
// M5  A parked waiter watches its bell and the tokens of the others that have the object open: who dies between changing
//     the monitor and waking is noticed at once, by those who joined later within 250 ms. The first that wakes sweeps.
// M6  One seat waits for one thing at a time. Who of an environment's tasks that is for, the environment knows (src/sync).
//
// Writers  under the latch: JavaScript's fast paths (semaphore, rwlock) and core/. `heard`: the seat's participant.
// Death    of a holder or waiter: its sweeper takes its seats out (monitor_drop), gives back what they held, and grants that.
//          of who has the latch: T2 and M2; the bells it may not have come to are rung again.
//          of a sweeper: the dead one's token is dead again, and the next one repeats.
#pragma once

#include "core/bell.h"
#include "core/latch.h"
#include "core/spin.h"

namespace mp {

///   latch, first_seat, detail   lie where a Slot has word, claim and detail
///   extent_class                0: not a block
///   waiting                     how many seats wait (a sum)
///   ticket                      the next ticket; wraps
///   field                       of the kind: semaphore.h, rwlock.h, condition.h, barrier.h
struct alignas(64) Monitor {
  std::atomic<uint64_t> header;
  Word latch;
  Word first_seat;
  uint32_t unused[2];
  uint32_t detail;
  uint32_t extent_class;
  Word waiting;
  Word ticket;
  Word field[6];  // the last two are not to be used: a Slot has blocked_on there
};

///   next       the seat that was there before; 0: none
///   hold       what its participant holds and waits for, by the kind of the monitor
///   monitor    which one it belongs to
///   bell       changes when something happens that its participant waits for
///   heard      the bell as it was when the participant began to wait
///   owner      the participant, 0 while there is none (in a named arena)
///   ticket     its place among those who wait
///   since, notified, blocked_on   of the kind; of deadlock detection
struct alignas(64) Seat {
  std::atomic<uint64_t> header;
  Word never_locked;
  Word next;
  std::atomic<uint64_t> hold;
  uint32_t monitor;
  uint32_t extent_class;
  Word bell;
  Word heard;
  Word owner;
  Word ticket;
  Word since;
  Word notified;
  std::atomic<uint64_t> blocked_on;
};

// clang-format off
//        struct         field              offset  size
#define MP_MONITOR_LAYOUT(PIN)                      \
  PIN(Monitor,       latch,                 8,     4) \
  PIN(Monitor,       first_seat,           12,     4) \
  PIN(Monitor,       detail,               24,     4) \
  PIN(Monitor,       extent_class,         28,     4) \
  PIN(Monitor,       waiting,              32,     4) \
  PIN(Monitor,       ticket,               36,     4) \
  PIN(Monitor,       field,                40,    24) \
  PIN(Seat,          never_locked,          8,     4) \
  PIN(Seat,          next,                 12,     4) \
  PIN(Seat,          hold,                 16,     8) \
  PIN(Seat,          monitor,              24,     4) \
  PIN(Seat,          extent_class,         28,     4) \
  PIN(Seat,          bell,                 32,     4) \
  PIN(Seat,          heard,                36,     4) \
  PIN(Seat,          owner,                40,     4) \
  PIN(Seat,          ticket,               44,     4) \
  PIN(Seat,          since,                48,     4) \
  PIN(Seat,          notified,             52,     4) \
  PIN(Seat,          blocked_on,           56,     8)
// clang-format on
MP_MONITOR_LAYOUT(MP_PIN)
static_assert(sizeof(Monitor) == sizeof(Slot) && sizeof(Seat) == sizeof(Slot));
static_assert(offsetof(Seat, blocked_on) == offsetof(Slot, blocked_on));
static_assert(offsetof(Monitor, latch) == offsetof(Slot, word) &&
              offsetof(Seat, never_locked) == offsetof(Slot, word));
static_assert(offsetof(Monitor, extent_class) == offsetof(Slot, extent_class) &&
              offsetof(Seat, extent_class) == offsetof(Slot, extent_class));

/// How a participant came by what it asked for.
enum class Grant : uint32_t { waits, granted, told };  // told: granted, and a holder died with it

/// A monitor as one participant uses it: what every call on one is about.
struct Desk {
  const Arena& arena;
  uint32_t index;
  Monitor& monitor;
  Seat& seat;
  OwnerId me;
};

inline Monitor& monitor_at(const Arena& arena, uint32_t index) {
  return reinterpret_cast<Monitor&>(arena.slot(index));
}
inline Seat& seat_at(const Arena& arena, uint32_t index) {
  return reinterpret_cast<Seat&>(arena.slot(index));
}
/// In the arena of a named monitor: the seat of participant s.
inline Seat& seat_beside(const Arena& arena, uint32_t participant) {
  return *reinterpret_cast<Seat*>(arena.base + arena.plan->seats +
                                  participant * arena.plan->participant_stride);
}

/// Whether an object of this kind is a monitor.
bool is_monitor(uint32_t kind);

/// Takes a seat for `me`, which has the monitor open. *seat is its index (in a named arena: meaningless).
platform::Failure monitor_join(const Arena& arena, uint32_t index, OwnerId me, uint32_t* seat);
/// Gives up the seat, what it holds and waits for. The monitor is still open.
void monitor_leave(const Arena& arena, uint32_t index, OwnerId me, uint32_t seat);
/// Gives up whatever the participant `dead` has of a monitor, as its sweeper: `as` is the dead one itself. Or as anybody
/// else who knows that it is gone.
void monitor_drop(const Arena& arena, uint32_t index, OwnerId dead, LatchOwner as);
/// The kind of the object behind an index.
uint32_t monitor_kind(const Arena& arena, uint32_t index);

/// Calls f(Seat&) with each seat; stops where f returns false. Under the latch.
template <class F>
void each_seat(const Arena& arena, Monitor& monitor, F f) {
  if (!arena.plan->has_objects) {
    uint32_t high = arena.header().participant_high.load(std::memory_order_acquire);
    if (high >= arena.plan->participant_max) high = arena.plan->participant_max - 1;
    for (uint32_t s = 1; s <= high; s++) {
      Seat& seat = seat_beside(arena, s);
      if (seat.owner.load(std::memory_order_relaxed) != 0 && !f(seat)) return;
    }
    return;
  }
  uint32_t i = monitor.first_seat.load(std::memory_order_relaxed);
  while (i != 0) {
    Seat& seat = seat_at(arena, i);
    i = seat.next.load(std::memory_order_relaxed);
    if (!f(seat)) return;
  }
}

/// The seat whose turn is next among those for which `waits` holds; null: none.
template <class F>
Seat* next_waiting(const Arena& arena, Monitor& monitor, F waits) {
  Seat* next = nullptr;
  each_seat(arena, monitor, [&](Seat& s) {
    if (waits(s) && (next == nullptr || comes_before(s.ticket.load(std::memory_order_relaxed),
                                                     next->ticket.load(std::memory_order_relaxed))))
      next = &s;
    return true;
  });
  return next;
}

/// Who has the latch, until the end of the block; then those whose bells were rung are woken.
class Latched {
 public:
  Latched(const Arena& arena, uint32_t index, LatchOwner as, bool inherits = false);
  Latched(const Latched&) = delete;
  ~Latched();
  /// Wakes the seat's participant, once the latch is free. To be called after its `hold` was changed.
  void ring(Seat& seat);
  void mourn(const Arena& arena, uint32_t index, OwnerId dead);

 private:
  void repair(const Arena& arena, uint32_t index, OwnerId dead);

  Word& latch_;
  LatchOwner as_;
  uint32_t rung_ = 0;
  Word* bells_[32];
};

}  // namespace mp
