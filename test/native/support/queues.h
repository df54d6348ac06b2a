// A queue, or a pipe, in an arena of its own, and records for it.
#pragma once

#include <vector>

#include "core/keepers.h"
#include "core/pipe.h"
#include "core/queue.h"
#include "support/arena.h"

namespace mp::test {

/// A record as a writer prepares it: its first word says which it is, where there is a payload.
struct Letter {
  alignas(8) unsigned char bytes[kRecordUnitsMax * kUnit] = {};
  uint32_t units = 0;

  explicit Letter(uint32_t payload_bytes, uint32_t number = 0, std::initializer_list<Reference> to = {},
                  bool first_is_parcel = false) {
    const auto count = static_cast<uint32_t>(to.size());
    const uint32_t objects = first_is_parcel ? count - 1 : count;
    const Record r{payload_bytes, objects << 18 | (first_is_parcel ? kInParcel : 0)};
    memcpy(bytes, &r, sizeof r);
    for (uint32_t at = 0; at + 4 <= payload_bytes && !first_is_parcel; at += 4)
      memcpy(bytes + kUnit + at, &number, sizeof number);
    units = static_cast<uint32_t>(record_units(r));
    auto* references = bytes + uint64_t{1 + payload_units(r)} * kUnit;
    for (const Reference& one : to) memcpy(references, &one, sizeof one), references += sizeof one;
  }
};
inline uint32_t number_of(const unsigned char* record) {
  uint32_t number;
  memcpy(&number, record + kUnit, sizeof number);
  return number;
}

/// Somebody who closes it may have it dying for a moment, though others hold it.
inline uint32_t living_header(const Arena& arena, uint32_t index) {
  return static_cast<uint32_t>(arena.slot(index).header.load()) & ~uint32_t{kDying};
}
inline Reference name_of(const Arena& arena, uint32_t index) { return {index, living_header(arena, index)}; }
inline bool holds(const Arena& arena, OwnerId who, uint32_t index) {
  return arena.holder_cell(owner_slot(who), index).load() & holder_bit(index);
}
inline bool alive(const Arena& arena, Reference r) { return living_header(arena, r.index) == r.header; }
inline uint32_t keepers_in_use(const Arena& arena) {
  uint32_t n = 0;
  for (uint32_t k = 1; k < arena.header().keeper_high.load(); k++) n += arena.keeper(k).object.load() != 0;
  return n;
}
/// How many objects a keeper keeps.
inline uint32_t kept(const Arena& arena, uint32_t number) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < arena.header().slots_reserved.load(); i++)
    if (arena.keeper(number).regions.load() & 1u << (i / kSlotsPerRegion))
      n += (arena.keeper_cell(number, i).load() & holder_bit(i)) != 0;
  return n;
}
inline void* heap_at(const Arena& arena, unsigned char* heap, uint32_t index) {
  return heap + arena.slot(index).extent;
}

/// An arena with its heap mapped, and its first participant.
struct HeapGround {
  Arena arena = make_arena();
  unsigned char* heap = map_heap(arena);
  OwnerId keeper = enter(arena);
  HeapGround() { close(arena, keeper, create(arena, keeper)); }  // the page of its bits
  HeapGround(const HeapGround&) = delete;
  ~HeapGround() {
    platform::memory_unmap(heap, arena.heap_bytes());
    drop_arena(arena);
  }
  uint32_t new_block(OwnerId me, uint32_t kind, uint64_t bytes) {
    NewBlock b;
    CHECK(!block_create(arena, me, kind, 0, bytes, &b));
    memset(heap + arena.slot(b.index).extent, 0, bytes);
    return b.index;
  }
  void open_too(OwnerId me, uint32_t index) {
    CHECK(open(arena, me, index, generation_of(arena, index), monitor_kind(arena, index)));
  }
};

/// What is held of a queue: its two slots.
struct QueueName {
  uint32_t index, ring;
};
inline QueueName make_queue(HeapGround& g, OwnerId me, uint32_t units, uint32_t items = 0,
                            uint64_t bytes = 1 << 20) {
  const uint32_t ring = g.new_block(me, kRing, sizeof(QueueBlock) + uint64_t{units} * kUnit);
  queue_init(*static_cast<QueueBlock*>(heap_at(g.arena, g.heap, ring)), units, items, bytes);
  uint32_t index;
  CHECK(!object_create(g.arena, me, kQueue, ring, 0, &index));
  return {index, ring};
}
inline QueueDesk desk_at(HeapGround& g, QueueName q, OwnerId me) {
  return {g.arena, q.index, reinterpret_cast<QueueMonitor&>(g.arena.slot(q.index)),
          *static_cast<QueueBlock*>(heap_at(g.arena, g.heap, q.ring)), me};
}

/// A participant at a queue, with a seat, and what it does there.
struct Guest {
  QueueDesk desk;
  uint32_t seat_index;
  Seat& seat;
  alignas(8) unsigned char got[kRecordUnitsMax * kUnit];
  uint32_t units = 0;
  platform::Failure failed;

  Guest(const QueueDesk& d, uint32_t s) : desk(d), seat_index(s), seat(seat_at(d.arena, s)) {}

  QueueResult put(const Letter& l, bool stands = false) {
    uint32_t done;
    return queue_put(desk, l.bytes, l.units, stands ? &seat : nullptr, &done, &failed);
  }
  QueueResult get(bool stands = false, bool counts = false, uint32_t max = 1) {
    return queue_get(desk, got, kRecordUnitsMax, max, stands ? &seat : nullptr, counts ? &seat : nullptr,
                     &units, &failed);
  }
  uint32_t number() const { return number_of(got); }
  bool rung() const { return seat.bell != seat.heard; }
  bool notified() const { return seat.hold.load() & kNotified; }
  bool waits() const { return static_cast<uint32_t>(seat.hold.load()) != 0 && !notified(); }
};

struct QueueGround : HeapGround {
  QueueName name;
  explicit QueueGround(uint32_t units = 512, uint32_t items = 0, uint64_t bytes = 1 << 20)
      : name(make_queue(*this, keeper, units, items, bytes)) {}
  QueueDesk desk(OwnerId me) { return desk_at(*this, name, me); }
  Guest sit() {
    const OwnerId me = enter(arena);
    open_too(me, name.index);
    open_too(me, name.ring);
    return sit_again(me);
  }
  /// One more seat of a participant's.
  Guest sit_again(OwnerId me) {
    uint32_t seat;
    CHECK(!monitor_join(arena, name.index, me, &seat));
    return {desk(me), seat};
  }
  QueueMonitor& queue() { return desk(keeper).queue; }
  QueueBlock& block() { return desk(keeper).block; }
  uint64_t bytes() {
    return queue_bytes(block(), desk(keeper).queue.in.load(), desk(keeper).queue.out.load());
  }
  uint32_t number_kept() { return kept(arena, queue().flags >> 8); }
  uint32_t length() { return queue_length(queue().in, queue().out); }
};

/// A pipe as its maker has it: its block and its two ends.
struct PipeGround : HeapGround {
  uint32_t block_index = 0, ends[2] = {};
  explicit PipeGround(uint32_t units = 512, uint32_t rings = 2) {
    block_index = new_block(keeper, kPipe, sizeof(PipeBlock) + uint64_t{rings} * units * kUnit);
    block().units = units;
    block().rings = rings;
    for (uint32_t& e : ends) CHECK(!object_create(arena, keeper, kPipeEnd, block_index, 0, &e));
    for (uint32_t side = 0; side < 2; side++) {
      PipeEnd& e = end(side);
      e.side = side, e.other = ends[1 - side];
      e.other_header = static_cast<uint32_t>(arena.slot(e.other).header.load());
    }
  }
  PipeBlock& block() { return *static_cast<PipeBlock*>(heap_at(arena, heap, block_index)); }
  PipeEnd& end(uint32_t side) { return reinterpret_cast<PipeEnd&>(arena.slot(ends[side])); }
  PipeDesk desk(OwnerId me) { return {arena, block_index, block(), me}; }
  /// A participant that has the block and one end, which it uses.
  OwnerId use(uint32_t side) {
    const OwnerId me = enter(arena);
    open_too(me, block_index);
    open_too(me, ends[side]);
    end(side).sender = me;
    end(side).receiver = me;
    return me;
  }
  void close_all(OwnerId me) {
    for (const uint32_t i : {ends[0], ends[1], block_index})
      if (holds(arena, me, i)) close(arena, me, i);
  }
  PipeResult put(OwnerId me, uint32_t ring, const Letter& l) {
    platform::Failure failed;
    return pipe_put(desk(me), ring, l.bytes, l.units, &failed);
  }
  PipeResult get(OwnerId me, uint32_t ring, unsigned char* out) {
    platform::Failure failed;
    uint32_t units;
    return pipe_get(desk(me), ring, out, kRecordUnitsMax, &units, &failed);
  }
  /// As JavaScript does it, without the lock.
  bool put_plain(uint32_t ring, const Letter& l) {
    PipeRing& words = block().ring[ring];
    const Ring r = desk(keeper).ring(ring);
    const uint32_t tail = words.tail, room = ring_room(r, words.head, tail, l.units);
    if (room == 0) return false;
    ring_write(r, tail, room, l.bytes, l.units);
    words.tail = tail + room;
    pipe_wake(words.tail, words.tail_awaited);
    return true;
  }
  bool get_plain(uint32_t ring, uint32_t* number) {
    PipeRing& words = block().ring[ring];
    const Ring r = desk(keeper).ring(ring);
    uint32_t at;
    Record record;
    const uint32_t head = words.head, tail = words.tail;
    if (head == tail || !ring_front(r, head, tail, &at, &record) || references_in(record.meta) > 0)
      return false;
    *number = number_of(r.at(at));
    words.head = at + static_cast<uint32_t>(record_units(record));
    pipe_wake(words.head, words.head_awaited);
    return true;
  }
  uint32_t number_kept() { return block().keeper == 0 ? 0 : kept(arena, block().keeper); }
};

}  // namespace mp::test
