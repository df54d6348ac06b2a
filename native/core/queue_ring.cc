#include "core/queue_ring.h"

#include <cstring>

#include "core/keepers.h"
#include "core/point.h"
#include "core/references.h"

namespace mp {
namespace {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_seq_cst;

constexpr uint32_t kKeeperShift = 8;

uint32_t keeper_of(const QueueMonitor& q) { return q.flags.load(memory_order_relaxed) >> kKeeperShift; }

/// Has the keeper keep what a record refers to.
platform::Failure keep(const QueueDesk& desk, const Record& record, const Reference* references) {
  const uint32_t count = references_in(record.meta);
  if (count == 0) return {};
  if (keeper_of(desk.queue) == 0) {
    uint32_t number;
    if (auto failed = keeper_take(desk.arena, desk.me, desk.index, &number)) return failed;
    set_flag(desk.queue, number << kKeeperShift, true);
    MP_POINT("queue.keeper_taken");
  }
  set_flag(desk.queue, kDoubt, true);  // until the tail has moved: bits may be left that nothing needs
  if (auto failed = keep_each(desk.arena, keeper_of(desk.queue), references, count)) return failed;
  MP_POINT("queue.kept");
  return {};
}

}  // namespace

void queue_recount(const QueueDesk& desk) {
  const Ring ring = desk.ring();
  const uint32_t head = low(desk.queue.out.load(memory_order_relaxed)),
                 tail = low(desk.queue.in.load(memory_order_relaxed));
  desk.block.block_bytes = 0;
  desk.block.carriers = 0;
  each_record(ring, head, tail, [&](uint32_t at, const Record& r) {
    desk.block.block_bytes += block_bytes(desk.arena, r, ring_references(ring, at, r));
    desk.block.carriers += references_in(r.meta) > 0 ? 1 : 0;
  });
  if (const uint32_t keeper = keeper_of(desk.queue))
    keeper_retain(desk.arena, owner_slot(desk.me), keeper,
                  [&](uint32_t index) { return ring_refers_to(ring, head, tail, tail, index); });
  MP_POINT("queue.recounted");
  set_flag(desk.queue, kDoubt, false);
}

QueueResult queue_put_one(const QueueDesk& desk, const unsigned char* bytes, uint32_t units, bool must_wait,
                          platform::Failure* failed) {
  QueueMonitor& q = desk.queue;
  QueueBlock& b = desk.block;
  if (has_flag(q, kShut)) return QueueResult::shut;
  const Record record = *reinterpret_cast<const Record*>(bytes);
  const Reference* references = references_of(bytes, record);
  const uint64_t in_blocks = block_bytes(desk.arena, record, references);
  const uint64_t weight = uint64_t{units} * kUnit + in_blocks;
  if (units > kRecordUnitsMax || units > b.units / 4 || weight > b.max_bytes) return QueueResult::too_large;
  const uint64_t in = q.in.load(memory_order_relaxed), out = q.out.load(memory_order_relaxed);
  const uint32_t length = queue_length(in, out);
  if (b.max_items != 0 && length >= b.max_items) return QueueResult::waits;
  if (length > 0 && queue_bytes(b, in, out) + weight > b.max_bytes) return QueueResult::waits;
  const uint32_t room = ring_room(desk.ring(), low(out), low(in), units);
  if (room == 0 || must_wait) return QueueResult::waits;
  if (!are_sound(desk.arena, references, references_in(record.meta))) return QueueResult::damaged;
  if ((*failed = keep(desk, record, references))) return QueueResult::failed;
  ring_write(desk.ring(), low(in), room, bytes, units);
  MP_POINT("queue.written");
  q.in.store(pair_of(low(in) + room, high(in) + 1), memory_order_seq_cst);  // Q1
  MP_POINT("queue.put");
  if (references_in(record.meta) > 0) {
    b.block_bytes += in_blocks;
    b.carriers++;
    set_flag(q, kDoubt, false);
  }
  return QueueResult::done;
}

QueueResult queue_get_one(const QueueDesk& desk, unsigned char* out, uint32_t room, uint32_t* units,
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
  memcpy(out, &record, sizeof record);  // as it was checked: from here on nothing is read from the ring (R2)
  const Reference* references = references_of(out, record);
  const uint32_t count = references_in(record.meta);
  const uint64_t in_blocks = block_bytes(desk.arena, record, references);
  if (count > 0) {
    set_flag(q, kDoubt, true);
    if ((*failed = hold_each(desk.arena, desk.me, references, count))) return QueueResult::failed;
  }
  const uint32_t next = at + *units;
  MP_POINT("queue.copied");
  q.out.store(pair_of(next, high(from) + 1), memory_order_seq_cst);  // Q1
  MP_POINT("queue.got");
  if (count == 0) return QueueResult::done;
  b.block_bytes -= in_blocks < b.block_bytes ? in_blocks : b.block_bytes;
  b.carriers--;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t index = references[i].index;
    if (b.carriers == 0 || !ring_refers_to(ring, next, low(in), low(in), index))
      keeper_clear(desk.arena, keeper_of(q), index);
  }
  MP_POINT("queue.let_go");
  set_flag(q, kDoubt, false);
  return QueueResult::done;
}

}  // namespace mp
