// What an exploration of pipes knows of one: every message that went into a ring, who sends and who receives, and who sleeps
// there for what. Looks are no steps.
#pragma once

#include "core/keepers.h"
#include "core/pipe.h"
#include "core/references.h"
#include "fake/monitors.h"

namespace mp::fake {

inline constexpr uint32_t kRingUnitsMax = 64, kRecordMost = kRingUnitsMax / 4, kThingsMost = 4;

/// An object, and what its maker wrote there.
struct Thing {
  Reference name;
  uint64_t mark;
};
struct Message {
  uint64_t record[kRecordMost];
  uint32_t units, count;
  uint64_t block_bytes;
  Thing things[kThingsMost];
};

/// One direction of the pipe.
struct Way {
  struct Sent {
    Message message;
    uint32_t end;  // the tail behind it
  };
  std::vector<Sent> sent;  // whatever the tail has moved past
  size_t taken, received;  // of those: past the head; by somebody who lived to look at it, or did not
  uint32_t head, tail;     // as they were last seen
  int sender, receiver;    // coroutines
  bool puts, over;         // somebody is about to send `next`; its reader has heard of the end
  Message next;
};

inline struct {
  PipeBlock block;
  uint64_t bytes[2 * kRingUnitsMax];
} memory;
inline Way ways[2];
inline Reference block_name, end_names[2];
inline uint64_t lost;
inline int last_dead;  // a coroutine
inline int64_t died_at;

inline bool one_way() { return memory.block.rings == 1; }
/// The ring that an end writes to, or reads from. With one direction only, side 1 sends and side 0 receives.
inline uint32_t ring_of(uint32_t side, bool sends) { return one_way() ? 0 : sends ? side : 1 - side; }
inline bool can_use(uint32_t side, bool sends) { return !one_way() || sends == (side == 1); }
inline PipeEnd& end_of(uint32_t side) {
  return reinterpret_cast<PipeEnd&>(arena.slot(end_names[side].index));
}
inline Word& user_of(uint32_t side, bool sends) {
  return sends ? end_of(side).sender : end_of(side).receiver;
}
inline PipeDesk desk_of(OwnerId me) { return {arena, block_name.index, memory.block, me}; }
inline bool still_is(const Reference& r) {
  return (static_cast<uint32_t>(arena.slot(r.index).header.peek()) & ~uint32_t{kDying}) == r.header;
}
/// Whether nobody has an end any more, or who used it so is gone.
inline bool end_is_over(uint32_t side, bool as_sender) {
  return !still_is(end_names[side]) || user_of(side, as_sender).peek() == kAbandoned;
}

/// Every message that is under way has what it refers to, and with nobody at it the keeper has that and nothing else (K3).
inline void check_kept() {
  if (!still_is(block_name)) return;
  uint32_t needed[kSlotsPerChunk / 32] = {};
  for (const Way& w : ways)
    for (size_t i = w.taken; i < w.sent.size(); i++)
      for (uint32_t t = 0; t < w.sent[i].message.count; t++) {
        const Reference& r = w.sent[i].message.things[t].name;
        if (!still_is(r)) fail("a message is under way, and what it refers to is gone");
        needed[r.index / 32] |= holder_bit(r.index);
      }
  const OwnerId owner = arena.slot(block_name.index).word.peek() & kOwnerMask;
  if ((owner != 0 && owner != kAbandoned) || memory.block.doubt != 0) return;
  const uint32_t keeper_number = memory.block.keeper;
  for (uint32_t at = 0; at < kSlotsPerChunk; at += 32) {
    const uint32_t kept = keeper_number == 0 ? 0 : arena.keeper_cell(keeper_number, at).peek();
    if (needed[at / 32] & ~kept) fail("K3: what a message refers to is not kept");
    if (kept & ~needed[at / 32]) fail("K3: what no message refers to is kept");
  }
}

/// Takes note of what has happened to the rings.
inline void look() {
  for (uint32_t n = 0; n < memory.block.rings; n++) {
    Way& w = ways[n];
    const PipeRing& words = memory.block.ring[n];
    if (words.tail.peek() != w.tail) {
      if (!w.puts) fail("the tail has moved, and nobody sends");
      if (w.over) fail("a message came after the end of the stream");
      w.sent.push_back({w.next, w.tail = words.tail.peek()});
      w.puts = false;
    }
    while (words.head.peek() != w.head) {
      if (w.taken == w.sent.size()) fail("the head is where no message ends");
      w.head = w.sent[w.taken++].end;
    }
    if (w.taken > w.received + (w.receiver != 0 ? 1 : 0)) fail("a message was skipped");
  }
  check_kept();
}

/// A coroutine is no more: what it was about to send is in the ring, or nowhere; what it was receiving it had in hand.
inline void forget(int id) {
  look();
  last_dead = id;
  died_at = platform::monotonic_now();
  for (Way& w : ways) {
    if (w.sender == id) w.sender = 0, w.puts = false;
    if (w.receiver != id) continue;
    lost += w.taken - w.received;
    w.received = w.taken;
    w.receiver = 0;
  }
}

/// Whether the last one that died has been the user of an end for so long that somebody must have seen it.
inline bool is_left_to_the_dead(const Word& user) {
  const OwnerId owner = user.peek();
  const Participant& p = arena.participant(owner_slot(owner));
  return owner != 0 && owner != kAbandoned && p.state.peek() == (owner_generation(owner) << 1 | kLive) &&
         static_cast<int>(p.pid.peek()) == last_dead && !alive(last_dead) &&
         platform::monotonic_now() - died_at > 12 * kParkCeilingNs;
}

/// Who sleeps at the pipe, by coroutine: until the other side moves the head (`sends`), or tail, of a ring.
struct Sleeper {
  bool asleep = false, sends;
  uint32_t side, units;
  uint64_t block_bytes;
  const BellWait* wait;
};
inline Sleeper sleepers[65];

/// With nobody able to run: who sleeps has nothing to hear of.
inline void check_sleepers_at_pipe() {
  Parked parks[64];
  const uint32_t count = parked(parks, 64);
  for (uint32_t i = 0; i < count; i++) {
    const Sleeper& s = sleepers[parks[i].id];
    if (!s.asleep || parks[i].count == 0 || parks[i].watches[0].word != &s.wait->word) continue;
    const uint32_t other = 1 - s.side, number = ring_of(s.side, s.sends);
    const PipeRing& words = memory.block.ring[number];
    const Word& user = user_of(other, !s.sends);
    // An end's user may go, and another come, unheard.
    const bool rung = s.wait->word.peek() != s.wait->value ||
                      s.wait->also[0].word->peek() != s.wait->also[0].value ||
                      (user.peek() == kAbandoned && s.wait->also[1].value != kAbandoned);
    if (rung) {
      if (nobody_died()) fail("asleep beside what it waits for, and nobody has died");
      rescued++;
      continue;
    }
    if (end_is_over(other, !s.sends)) fail("I3: asleep, and its peer is gone");
    if (is_left_to_the_dead(user)) fail("I3: asleep, and nobody has seen that its peer is dead");
    if (!s.sends && words.tail.peek() != words.head.peek()) fail("I2: asleep beside a message");
    if (!s.sends) continue;
    uint64_t under_way = 0;
    const Way& w = ways[number];
    for (size_t m = w.taken; m < w.sent.size(); m++) under_way += w.sent[m].message.block_bytes;
    const bool fits = s.block_bytes == 0 || under_way == 0 || under_way + s.block_bytes <= kPipeBlockBytesMax;
    if (fits && ring_room(desk_of(keeper).ring(number), words.head.peek(), words.tail.peek(), s.units) != 0)
      fail("I2: asleep beside room for its message");
  }
}

/// A fresh pipe, whose block and ends the keeper has.
inline void new_pipe(uint32_t units, uint32_t rings, uint32_t start) {
  ground_clean();
  memset(static_cast<void*>(&memory), 0, sizeof memory);
  memory.block.units = units;
  memory.block.rings = rings;
  for (Way& w : ways) w = {};
  for (uint32_t n = 0; n < rings; n++) {
    PipeRing& words = memory.block.ring[n];
    for (Word* word : {&words.head, &words.tail, &words.carried}) word->store(start);
    ways[n].head = ways[n].tail = start;
  }
  const auto make = [](uint32_t kind) {
    const uint32_t index = ground_new(kind);
    return Reference{index, static_cast<uint32_t>(arena.slot(index).header.peek())};
  };
  block_name = make(kPipe);
  for (Reference& e : end_names) e = make(kPipeEnd);
  for (uint32_t side = 0; side < 2; side++) {
    PipeEnd& e = end_of(side);
    e.side = side;
    e.block = block_name.index;
    e.other = end_names[1 - side].index;
    e.other_header = end_names[1 - side].header;
  }
  for (Sleeper& s : sleepers) s.asleep = false;
  last_dead = 0;
}

}  // namespace mp::fake
