#include "core/queue.h"

#include "core/point.h"
#include "core/queue_ring.h"

namespace mp {
namespace {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_seq_cst;

uint32_t get(const Word& word) { return word.load(memory_order_relaxed); }
void set(Word& word, uint32_t value) { word.store(value, memory_order_relaxed); }

uint32_t state_of(const Seat& seat) { return low(seat.hold.load(memory_order_relaxed)); }
uint32_t taken_of(const Seat& seat) { return high(seat.hold.load(memory_order_relaxed)); }
void set_hold(Seat& seat, uint32_t state, uint32_t taken) {
  seat.hold.store(pair_of(state, taken), memory_order_relaxed);
}

Monitor& monitor_of(const QueueDesk& desk) { return reinterpret_cast<Monitor&>(desk.queue); }
QueueMonitor& queue_of(Monitor& monitor) { return reinterpret_cast<QueueMonitor&>(monitor); }

bool awaits(const Seat& seat, uint32_t what) { return state_of(seat) == what; }

/// Wakes the one that has waited longest for `what`.
bool notify_next(const Arena& arena, Monitor& monitor, Latched& latched, uint32_t what) {
  if (get(monitor.waiting) == 0) return false;
  Seat* next = next_waiting(arena, monitor, [&](Seat& s) { return awaits(s, what); });
  if (next == nullptr) return false;
  set_hold(*next, what | kNotified, taken_of(*next));
  MP_POINT("queue.notified");
  set(monitor.waiting, get(monitor.waiting) - 1);
  latched.ring(*next);
  return true;
}

void notify_all(const Arena& arena, Monitor& monitor, Latched& latched) {
  for (const uint32_t what : {kAwaitsItem, kAwaitsRoom, kAwaitsDone}) {
    while (notify_next(arena, monitor, latched, what)) {
    }
  }
}

/// Stands in line, at its old place if it was notified in vain.
void stand_in_line(Monitor& m, Seat& seat, uint32_t what) {
  const uint32_t before = state_of(seat);
  set(seat.heard, get(seat.bell));
  if (before == what) return;
  if (before != (what | kNotified)) {
    set(seat.ticket, get(m.ticket));
    set(m.ticket, get(m.ticket) + 1);
  } else if (what == kAwaitsRoom) {
    set_flag(queue_of(m), kStrict, true);  // Q4
  }
  MP_POINT("queue.ticket_taken");
  set_hold(seat, what, taken_of(seat));
  MP_POINT("queue.in_line");
  set(m.waiting, get(m.waiting) + 1);
}

/// Leaves the line. True: it had been notified.
bool leave_line(Monitor& m, Seat& seat) {
  const uint32_t state = state_of(seat);
  if (state == 0) return false;
  set_hold(seat, 0, taken_of(seat));
  MP_POINT("queue.left_line");
  if (state & kNotified) return true;
  set(m.waiting, get(m.waiting) - 1);
  return false;
}

/// Whether somebody who waits for room goes before this one (Q4).
bool must_wait(const QueueDesk& desk, const Seat* seat) {
  if (!has_flag(desk.queue, kStrict)) return false;
  const Seat* first = next_waiting(desk.arena, monitor_of(desk),
                                   [](Seat& s) { return (state_of(s) & ~kNotified) == kAwaitsRoom; });
  // Whom the flag is for may have died between leaving the line and clearing it.
  if (first == nullptr) set_flag(desk.queue, kStrict, false);
  return first != nullptr && first != seat;
}

/// How many messages the seats have taken.
uint32_t taken_by_all(const QueueDesk& desk) {
  uint32_t taken = 0;
  each_seat(desk.arena, monitor_of(desk), [&](Seat& s) {
    taken += taken_of(s);
    return true;
  });
  return taken;
}

/// Whether nothing is left to be dealt with (Q6).
bool all_dealt_with(const QueueDesk& desk) {
  return queue_length(desk.queue.in.load(memory_order_relaxed), desk.queue.out.load(memory_order_relaxed)) ==
             0 &&
         taken_by_all(desk) == 0;
}

/// How many were ever lost (Q6).
uint32_t lost_of(const QueueDesk& desk) {
  const uint32_t gets = high(desk.queue.out.load(memory_order_relaxed));
  return gets - get(desk.queue.done) - taken_by_all(desk);
}

void look_again(const QueueDesk& desk) {
  if (has_flag(desk.queue, kDoubt)) queue_recount(desk);
}

}  // namespace

void queue_init(QueueBlock& block, uint32_t units, uint32_t max_items, uint64_t max_bytes) {
  block.units = units;
  block.max_items = max_items;
  block.max_bytes = max_bytes;
  block.block_bytes = 0;
  block.carriers = block.lost_told = 0;
}

QueueResult queue_put(const QueueDesk& desk, const unsigned char* records, uint32_t units, Seat* seat,
                      uint32_t* done, platform::Failure* failed) {
  Latched latched(desk.arena, desk.index, desk.me);
  look_again(desk);
  Monitor& m = monitor_of(desk);
  auto result = QueueResult::done;
  for (*done = 0; *done < units && result == QueueResult::done;) {
    const unsigned char* record = records + uint64_t{*done} * kUnit;
    const uint64_t its = record_units(*reinterpret_cast<const Record*>(record));
    result = its > units - *done
                 ? QueueResult::damaged
                 : queue_put_one(desk, record, static_cast<uint32_t>(its), must_wait(desk, seat), failed);
    if (result != QueueResult::done) break;
    *done += static_cast<uint32_t>(its);
    notify_next(desk.arena, m, latched, kAwaitsItem);
  }
  if (seat == nullptr) return result;
  if (result == QueueResult::waits) {
    stand_in_line(m, *seat, kAwaitsRoom);
  } else {
    leave_line(m, *seat);
    set_flag(desk.queue, kStrict, false);
    // There may be room for more than one of those who wait.
    notify_next(desk.arena, m, latched, kAwaitsRoom);
  }
  return result;
}

QueueResult queue_get(const QueueDesk& desk, unsigned char* out, uint32_t room, uint32_t max, Seat* seat,
                      Seat* taker, uint32_t* units, platform::Failure* failed) {
  Latched latched(desk.arena, desk.index, desk.me);
  look_again(desk);
  Monitor& m = monitor_of(desk);
  auto result = QueueResult::waits;
  uint32_t count = 0;
  for (*units = 0; count < max; count++) {
    uint32_t its = 0;
    const auto got = queue_get_one(desk, out + uint64_t{*units} * kUnit, room - *units, &its, failed);
    if (got != QueueResult::done) {
      if (count == 0) result = got;
      break;
    }
    result = got;
    *units += its;
    notify_next(desk.arena, m, latched, kAwaitsRoom);
  }
  if (taker != nullptr && count > 0) set_hold(*taker, state_of(*taker), taken_of(*taker) + count);
  if (seat == nullptr) return result;
  if (result == QueueResult::waits)
    stand_in_line(m, *seat, kAwaitsItem);
  else if (leave_line(m, *seat) && result != QueueResult::done)
    notify_next(desk.arena, m, latched, kAwaitsItem);  // what it was notified of is still there
  return result;
}

bool queue_may_put(const QueueDesk& desk, uint32_t units) {
  const uint64_t in = desk.queue.in.load(memory_order_acquire),
                 out = desk.queue.out.load(memory_order_acquire);
  const uint32_t max = desk.block.max_items;
  return (max == 0 || queue_length(in, out) < max) && ring_room(desk.ring(), low(out), low(in), units) != 0;
}

void queue_withdraw(const QueueDesk& desk, Seat& seat) {
  Latched latched(desk.arena, desk.index, desk.me);
  const uint32_t what = state_of(seat) & ~kNotified;
  Monitor& m = monitor_of(desk);
  const bool notified = leave_line(m, seat);
  if (what == kAwaitsRoom) set_flag(desk.queue, kStrict, false);
  if (notified || what == kAwaitsRoom) notify_next(desk.arena, m, latched, what);
}

bool queue_pass_on(const Arena& arena, uint32_t index, OwnerId me, Seat& seat) {
  Latched latched(arena, index, me | kHelper);
  const uint32_t state = state_of(seat);
  Monitor& m = monitor_at(arena, index);
  if (!(state & kNotified) || !notify_next(arena, m, latched, state & ~kNotified)) return false;
  set_hold(seat, 0, taken_of(seat));
  stand_in_line(m, seat, state & ~kNotified);
  return true;
}

void queue_look_over(const Arena& arena, uint32_t index, LatchOwner as) {
  Monitor& m = monitor_at(arena, index);
  const QueueMonitor& q = queue_of(m);
  const auto is_empty = [&] {
    return queue_length(q.in.load(memory_order_acquire), q.out.load(memory_order_acquire)) == 0;
  };
  if (get(m.waiting) == 0) return;
  Latched latched(arena, index, as);
  notify_next(arena, m, latched, is_empty() ? kAwaitsRoom : kAwaitsItem);
}

bool queue_done(const QueueDesk& desk, Seat* seat) {
  Latched latched(desk.arena, desk.index, desk.me);
  // If it was not this participant that took it, nobody else's is to be lost for it.
  Seat* taker = seat != nullptr && taken_of(*seat) > 0 ? seat : nullptr;
  if (taker == nullptr)
    each_seat(desk.arena, monitor_of(desk), [&](Seat& s) {
      if (taken_of(s) > 0) taker = &s;
      return taker == nullptr;
    });
  if (taker == nullptr) return false;
  set_hold(*taker, state_of(*taker), taken_of(*taker) - 1);
  MP_POINT("queue.counted_off");
  set(desk.queue.done, get(desk.queue.done) + 1);
  MP_POINT("queue.done_counted");
  if (all_dealt_with(desk)) {
    while (notify_next(desk.arena, monitor_of(desk), latched, kAwaitsDone)) {
    }
  }
  return true;
}

QueueResult queue_join(const QueueDesk& desk, Seat* seat, uint32_t* lost) {
  Latched latched(desk.arena, desk.index, desk.me);
  Monitor& m = monitor_of(desk);
  if (!all_dealt_with(desk)) {
    if (seat != nullptr) stand_in_line(m, *seat, kAwaitsDone);
    return QueueResult::waits;
  }
  const uint32_t all = lost_of(desk);
  *lost = all - desk.block.lost_told;
  desk.block.lost_told = all;
  if (seat != nullptr) leave_line(m, *seat);
  return QueueResult::done;
}

void queue_shut(const QueueDesk& desk, bool discard) {
  Latched latched(desk.arena, desk.index, desk.me);
  look_again(desk);
  QueueMonitor& q = desk.queue;
  set_flag(q, kShut, true);
  MP_POINT("queue.shut");
  if (discard) {
    set_flag(q, kDoubt, true);
    MP_POINT("queue.discarding");
    q.in.store(q.out.load(memory_order_relaxed), memory_order_seq_cst);
    MP_POINT("queue.discarded");
    queue_recount(desk);
  }
  notify_all(desk.arena, monitor_of(desk), latched);
}

void queue_mourn(Monitor& monitor, Seat& seat) {
  if ((state_of(seat) & ~kNotified) == kAwaitsRoom) set_flag(queue_of(monitor), kStrict, false);
}

void queue_settle(const Arena& arena, Monitor& monitor, Latched& latched) {
  uint32_t waiting = 0;
  each_seat(arena, monitor, [&](Seat& s) {
    const uint32_t state = state_of(s);
    waiting += state != 0 && !(state & kNotified) ? 1 : 0;
    return true;
  });
  set(monitor.waiting, waiting);
  MP_POINT("queue.counted");
  // What the dead one was notified of, or should have told: whether it is so the ring knows, which may not be mapped here.
  QueueMonitor& q = queue_of(monitor);
  if (has_flag(q, kShut)) return notify_all(arena, monitor, latched);
  if (queue_length(q.in.load(memory_order_relaxed), q.out.load(memory_order_relaxed)) > 0)
    notify_next(arena, monitor, latched, kAwaitsItem);
  notify_next(arena, monitor, latched, kAwaitsRoom);
  while (notify_next(arena, monitor, latched, kAwaitsDone)) {
  }
}

void queue_doubt(Monitor& monitor) { set_flag(queue_of(monitor), kDoubt, true); }

}  // namespace mp
