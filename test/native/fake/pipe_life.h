// A participant of an exploration of pipes: what it holds, what it sends, and what becomes of what it receives.
#pragma once

#include "fake/pipe_model.h"

namespace mp::fake {

inline constexpr uint32_t kPocket = 4;
inline bool busy;              // many messages in this seed, most of them plain
inline uint64_t numbers;       // of messages and things, in this seed
inline uint64_t things_taken;  // in all

/// A participant, and what it holds besides the pipe's block.
struct Life {
  OwnerId me;
  bool has[2] = {};
  uint32_t count = 0;
  Thing pocket[kPocket] = {};
};

inline bool holds(const Life& life, const Reference& r) {
  return arena.holder_cell(owner_slot(life.me), r.index).peek() & holder_bit(r.index);
}
inline void close(const Life& life, const Reference& r) { object_close(arena, owner_slot(life.me), r.index); }
inline bool open(const Life& life, const Reference& r) {
  platform::Failure failed;
  return object_open(arena, life.me, r.index, r.header >> 8, r.header & kKindMask, &failed);
}
inline bool is_same(const Reference& a, const Reference& b) {
  return a.index == b.index && a.header == b.header;
}
/// Which end that is; 2: none.
inline uint32_t side_of(const Reference& r) {
  return is_same(r, end_names[0]) ? 0 : is_same(r, end_names[1]) ? 1 : 2;
}

inline void check_holdings(const Life& life) {
  for (uint32_t i = 0; i < life.count; i++)
    if (!still_is(life.pocket[i].name)) fail("O2: an object was freed under somebody who has it");
  for (uint32_t side = 0; side < 2; side++)
    if (life.has[side] && !still_is(end_names[side])) fail("O2: an end was freed under somebody who has it");
}

inline void drop(Life& life, uint32_t at) {
  const Reference r = life.pocket[at].name;
  life.pocket[at] = life.pocket[--life.count];
  close(life, r);
}

inline int& model_user(uint32_t side, bool sends) {
  Way& w = ways[ring_of(side, sends)];
  return sends ? w.sender : w.receiver;
}

/// Uses an end no longer.
inline void stop_using(const Life& life, uint32_t side, bool sends) {
  uint32_t user = life.me;
  if (!user_of(side, sends).compare_exchange_strong(user, 0)) return;
  model_user(side, sends) = 0;
}
inline void drop_end(Life& life, uint32_t side) {
  for (const bool sends : {true, false})
    if (can_use(side, sends)) stop_using(life, side, sends);
  life.has[side] = false;
  close(life, end_names[side]);
}

inline Thing new_lock(const Life& life) {
  uint32_t index;
  const uint64_t mark = ++numbers;
  if (object_create(arena, life.me, kLock, 0, mark, &index)) fail("object_create");
  return {{index, static_cast<uint32_t>(arena.slot(index).header.peek())}, mark};
}
inline Thing new_block(const Life& life, bool is_parcel, uint64_t bytes) {
  NewBlock b;
  if (block_create(arena, life.me, is_parcel ? kParcel : kArray, 0, bytes, &b)) fail("block_create");
  return {{b.index, static_cast<uint32_t>(arena.slot(b.index).header.peek())}, 0};
}

/// A message; what is new in it is in the pocket.
inline Message write_message(Life& life) {
  Message m{};
  bool is_parcel = false;
  const auto add = [&](const Thing& t) {
    for (uint32_t i = 0; i < m.count; i++)
      if (m.things[i].name.index == t.name.index) return;
    m.things[m.count++] = t;
  };
  const uint32_t things = random(busy ? 8 : 2) == 0 ? 1 + random(kThingsMost - 1) : 0;
  if (things > 0 && random(4) == 0 && life.count < kPocket) {
    is_parcel = random(2) == 0;
    m.block_bytes = random(2) == 0 ? 100 : kPipeBlockBytesMax / 2 + 1;
    add(life.pocket[life.count++] = new_block(life, is_parcel, m.block_bytes));
  }
  const uint32_t blocks = m.count;
  while (m.count < things) {
    const uint32_t side = random(8);
    if (side < 2 && life.has[side])
      add({block_name, 0}), add({end_names[side], 0});
    else if (life.count > 0 && (life.count == kPocket || random(2) == 0))
      add(life.pocket[random(life.count)]);
    else
      add(life.pocket[life.count++] = new_lock(life));
    if (random(4) == 0) break;
  }
  const uint32_t payload = is_parcel ? 0 : 1 + random(memory.block.units / 4 - 1 - m.count);
  const Record r{is_parcel ? static_cast<uint32_t>(m.block_bytes) : payload * kUnit,
                 (m.count - blocks) << 18 | (is_parcel ? kInParcel : blocks << 4)};
  memcpy(m.record, &r, sizeof r);
  numbers++;
  for (uint32_t i = 1; i <= payload; i++) m.record[i] = numbers << 8 | i;
  for (uint32_t i = 0; i < m.count; i++) memcpy(&m.record[1 + payload + i], &m.things[i].name, kUnit);
  m.units = static_cast<uint32_t>(record_units(r));
  return m;
}

/// Whoever receives a message holds what it refers to.
inline void keep_or_close(Life& life, const Thing& t) {
  if (!still_is(t.name) || !holds(life, t.name)) fail("a reference names nothing");
  if (t.mark != 0 && arena.slot(t.name.index).value.peek() != t.mark)
    fail("a reference names something else");
  things_taken++;
  if (const uint32_t side = side_of(t.name); side < 2) {
    life.has[side] = true;
    return;
  }
  if (t.name.index == block_name.index) return;
  for (uint32_t i = 0; i < life.count; i++)
    if (life.pocket[i].name.index == t.name.index) return;
  if (life.count == kPocket || random(2) == 0) return close(life, t.name);
  life.pocket[life.count++] = t;
}

}  // namespace mp::fake
