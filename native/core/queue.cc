#include "core/queue.h"

#include <cstring>

#include "core/keepers.h"
#include "core/objects.h"
#include "core/point.h"

namespace mp {
namespace {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

constexpr uint32_t kKeeperShift = 8;

uint32_t get(const Word& word) { return word.load(memory_order_relaxed); }
void set(Word& word, uint32_t value) { word.store(value, memory_order_relaxed); }

uint32_t low(uint64_t pair) { return static_cast<uint32_t>(pair); }
uint32_t high(uint64_t pair) { return static_cast<uint32_t>(pair >> 32); }
uint64_t pair_of(uint32_t low, uint32_t high) { return uint64_t{high} << 32 | low; }

uint32_t state_of(const Seat& seat) { return low(seat.hold.load(memory_order_relaxed)); }
uint32_t taken_of(const Seat& seat) { return high(seat.hold.load(memory_order_relaxed)); }
void set_hold(Seat& seat, uint32_t state, uint32_t taken) {
  seat.hold.store(pair_of(state, taken), memory_order_relaxed);
}

bool has_flag(const QueueMonitor& q, uint32_t flag) { return get(q.flags) & flag; }
void set_flag(QueueMonitor& q, uint32_t flag, bool on) {
  set(q.flags, on ? get(q.flags) | flag : get(q.flags) & ~flag);
}
uint32_t keeper_of(const QueueMonitor& q) { return get(q.flags) >> kKeeperShift; }

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

/// Whether nobody who waits for room came before this seat.
bool is_first_for_room(const QueueDesk& desk, const Seat* seat) {
  if (seat == nullptr) return false;
  const Seat* first = next_waiting(desk.arena, monitor_of(desk),
                                   [](Seat& s) { return (state_of(s) & ~kNotified) == kAwaitsRoom; });
  return first == nullptr || first == seat;
}

/// The bytes of a message, those of its blocks included.
uint64_t weight_of(const Arena& arena, const Record& record, const Reference* references) {
  uint64_t bytes = record_units(record) * kUnit;
  const uint32_t reserved = arena.header().slots_reserved.load(memory_order_acquire);
  for (uint32_t i = 0; i < blocks_in(record.meta); i++)
    if (references[i].index < reserved) bytes += arena.slot(references[i].index).bytes;
  return bytes;
}

/// Whether a reference names what a slot holds.
bool is_sound(const Arena& arena, const Reference& r) {
  return r.index != 0 && r.index < arena.header().slots_reserved.load(memory_order_acquire) &&
         (low(arena.slot(r.index).header.load(memory_order_acquire)) & ~uint32_t{kDying}) == r.header;
}

/// Whether a message between head and tail refers to an object.
bool is_referred_to(const Ring& ring, uint32_t head, uint32_t tail, uint32_t index) {
  bool found = false;
  each_record(ring, head, tail, [&](uint32_t at, const Record& r) {
    const Reference* references = ring_references(ring, at, r);
    for (uint32_t i = 0; i < references_in(r.meta); i++) found = found || references[i].index == index;
  });
  return found;
}

/// Counts bytes and references anew (Q5).
void recount(const QueueDesk& desk) {
  const Ring ring = desk.ring();
  const uint32_t head = low(desk.queue.out.load(memory_order_relaxed)),
                 tail = low(desk.queue.in.load(memory_order_relaxed));
  desk.block.bytes = 0;
  desk.block.carriers = 0;
  each_record(ring, head, tail, [&](uint32_t at, const Record& r) {
    desk.block.bytes += weight_of(desk.arena, r, ring_references(ring, at, r));
    desk.block.carriers += references_in(r.meta) > 0 ? 1 : 0;
  });
  if (const uint32_t keeper = keeper_of(desk.queue))
    keeper_retain(desk.arena, owner_slot(desk.me), keeper,
                  [&](uint32_t index) { return is_referred_to(ring, head, tail, index); });
  MP_POINT("queue.recounted");
  set_flag(desk.queue, kDoubt, false);
}

/// Has the keeper keep what a record refers to.
platform::Failure keep(const QueueDesk& desk, const Record& record, const Reference* references) {
  const uint32_t count = references_in(record.meta);
  if (count == 0) return {};
  if (keeper_of(desk.queue) == 0) {
    uint32_t number;
    if (auto failed = keeper_take(desk.arena, desk.me, desk.index, &number)) return failed;
    set(desk.queue.flags, get(desk.queue.flags) | number << kKeeperShift);
    MP_POINT("queue.keeper_taken");
  }
  set_flag(desk.queue, kDoubt, true);  // until the tail has moved: bits may be left that nothing needs
  for (uint32_t i = 0; i < count; i++)
    if (auto failed = keeper_set(desk.arena, keeper_of(desk.queue), references[i].index)) return failed;
  MP_POINT("queue.kept");
  return {};
}

/// Puts one record.
QueueResult put_one(const QueueDesk& desk, const unsigned char* bytes, uint32_t units, const Seat* seat,
                    platform::Failure* failed) {
  QueueMonitor& q = desk.queue;
  QueueBlock& b = desk.block;
  if (has_flag(q, kShut)) return QueueResult::shut;
  const Record record = *reinterpret_cast<const Record*>(bytes);
  const auto* references =
      reinterpret_cast<const Reference*>(bytes + uint64_t{1 + payload_units(record)} * kUnit);
  const uint64_t weight = weight_of(desk.arena, record, references);
  if (units > kRecordUnitsMax || units > b.units / 4 || weight > b.max_bytes) return QueueResult::too_large;
  const uint64_t in = q.in.load(memory_order_relaxed), out = q.out.load(memory_order_relaxed);
  const uint32_t length = queue_length(in, out);
  if (b.max_items != 0 && length >= b.max_items) return QueueResult::waits;
  if (length > 0 && b.bytes + weight > b.max_bytes) return QueueResult::waits;
  const uint32_t room = ring_room(desk.ring(), low(out), low(in), units);
  if (room == 0 || (has_flag(q, kStrict) && !is_first_for_room(desk, seat))) return QueueResult::waits;
  for (uint32_t i = 0; i < references_in(record.meta); i++)
    if (!is_sound(desk.arena, references[i])) return QueueResult::damaged;
  if ((*failed = keep(desk, record, references))) return QueueResult::failed;
  ring_write(desk.ring(), low(in), room, bytes, units);
  MP_POINT("queue.written");
  q.in.store(pair_of(low(in) + room, high(in) + 1), memory_order_seq_cst);  // Q1
  MP_POINT("queue.put");
  b.bytes += weight;
  if (references_in(record.meta) > 0) {
    b.carriers++;
    set_flag(q, kDoubt, false);
  }
  return QueueResult::done;
}

/// Gives the caller a reference to each object a message refers to.
platform::Failure hold(const QueueDesk& desk, const Record& record, const Reference* references) {
  platform::Failure failed;
  for (uint32_t i = 0; i < references_in(record.meta); i++) {
    object_open(desk.arena, desk.me, references[i].index, references[i].header >> 8,
                references[i].header & kKindMask, &failed);
    if (failed) break;
  }
  return failed;
}

/// Gets the record in front, into `out` if it has room for it.
QueueResult get_one(const QueueDesk& desk, unsigned char* out, uint32_t room, uint32_t* units,
                    platform::Failure* failed) {
  QueueMonitor& q = desk.queue;
  QueueBlock& b = desk.block;
  const uint64_t in = q.in.load(memory_order_relaxed), from = q.out.load(memory_order_relaxed);
  if (queue_length(in, from) == 0) return has_flag(q, kShut) ? QueueResult::shut : QueueResult::waits;
  const Ring ring = desk.ring();
  uint32_t at;
  Record record;
  if (!ring_front(ring, low(from), low(in), &at, &record)) return QueueResult::damaged;
  *units = static_cast<uint32_t>(record_units(record));
  if (*units > room) return QueueResult::too_large;
  memcpy(out, ring.at(at), size_t{*units} * kUnit);
  const Reference* references = ring_references(ring, at, record);
  const uint32_t count = references_in(record.meta);
  const uint64_t weight = weight_of(desk.arena, record, references);
  if (count > 0) {
    set_flag(q, kDoubt, true);
    if ((*failed = hold(desk, record, references))) return QueueResult::failed;
  }
  const uint32_t next = at + *units;
  MP_POINT("queue.copied");
  q.out.store(pair_of(next, high(from) + 1), memory_order_seq_cst);  // Q1
  MP_POINT("queue.got");
  b.bytes -= weight < b.bytes ? weight : b.bytes;
  if (count == 0) return QueueResult::done;
  b.carriers--;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t index = references[i].index;
    if (b.carriers == 0 || !is_referred_to(ring, next, low(in), index))
      keeper_clear(desk.arena, keeper_of(q), index);
  }
  MP_POINT("queue.let_go");
  set_flag(q, kDoubt, false);
  return QueueResult::done;
}

/// How many messages have been put that nobody has dealt with, and somebody still may.
uint32_t unfinished(const QueueDesk& desk) {
  const uint32_t puts = high(desk.queue.in.load(memory_order_relaxed));
  const auto left = static_cast<int32_t>(puts - desk.block.done - get(desk.queue.lost));
  return left > 0 ? static_cast<uint32_t>(left) : 0;
}

void look_again(const QueueDesk& desk) {
  if (has_flag(desk.queue, kDoubt)) recount(desk);
}

}  // namespace

void queue_init(QueueBlock& block, uint32_t units, uint32_t max_items, uint64_t max_bytes) {
  block.units = units;
  block.max_items = max_items;
  block.max_bytes = max_bytes;
  block.bytes = 0;
  block.carriers = block.done = block.lost_told = 0;
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
    if (its > units - *done) return QueueResult::damaged;
    result = put_one(desk, record, static_cast<uint32_t>(its), seat, failed);
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
    const auto got = get_one(desk, out + uint64_t{*units} * kUnit, room - *units, &its, failed);
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
  else
    leave_line(m, *seat);
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

bool queue_done(const QueueDesk& desk, Seat* seat) {
  Latched latched(desk.arena, desk.index, desk.me);
  const uint32_t gets = high(desk.queue.out.load(memory_order_relaxed));
  if (static_cast<int32_t>(gets - desk.block.done - get(desk.queue.lost)) <= 0) return false;
  // If it was not this participant that took it, somebody else is not to be mourned for it.
  const auto count_off = [](Seat& s) {
    if (taken_of(s) == 0) return true;
    set_hold(s, state_of(s), taken_of(s) - 1);
    return false;
  };
  if (seat == nullptr || count_off(*seat)) each_seat(desk.arena, monitor_of(desk), count_off);
  MP_POINT("queue.done_counted");
  desk.block.done++;
  if (unfinished(desk) == 0) {
    while (notify_next(desk.arena, monitor_of(desk), latched, kAwaitsDone)) {
    }
  }
  return true;
}

QueueResult queue_join(const QueueDesk& desk, Seat* seat, uint32_t* lost) {
  Latched latched(desk.arena, desk.index, desk.me);
  Monitor& m = monitor_of(desk);
  if (unfinished(desk) > 0) {
    if (seat != nullptr) stand_in_line(m, *seat, kAwaitsDone);
    return QueueResult::waits;
  }
  *lost = get(desk.queue.lost) - desk.block.lost_told;
  desk.block.lost_told = get(desk.queue.lost);
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
    const uint64_t in = q.in.load(memory_order_relaxed);
    set_flag(q, kDoubt, true);
    desk.block.done += queue_length(in, q.out.load(memory_order_relaxed));
    MP_POINT("queue.discard_counted");
    q.out.store(in, memory_order_seq_cst);
    MP_POINT("queue.discarded");
    recount(desk);
  }
  notify_all(desk.arena, monitor_of(desk), latched);
}

void queue_mourn(Monitor& monitor, Seat& seat) {
  QueueMonitor& q = queue_of(monitor);
  if ((state_of(seat) & ~kNotified) == kAwaitsRoom) set_flag(q, kStrict, false);
  // A sweeper that dies between these two steps has them counted twice: join(), which fails either way, fails early.
  const uint32_t taken = taken_of(seat);
  if (taken == 0) return;
  set(q.lost, get(q.lost) + taken);
  MP_POINT("queue.lost_counted");
  set_hold(seat, state_of(seat), 0);
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
