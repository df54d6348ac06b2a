// What the threads of messages.cc send each other: messages whose every byte can be checked, with locks and parcels.
#pragma once

#include "support/queues.h"

namespace mp::test {

inline constexpr int kThreads = 4;
inline constexpr uint32_t kRecordUnits = 32, kMostGot = 4;

/// What a message says in its first bytes; the rest repeats `number`.
struct Head {
  uint32_t author, number, length, objects;
};
struct Sum {
  uint64_t put, got, carried, late, found, sent, received;
};

inline PipeGround* ground;
// Each thread's own: an atomic one would order everything and hide what we look for.
inline uint32_t authored[kThreads];
inline Sum sums[kThreads];

struct Life {
  int number;
  OwnerId me;
  uint32_t random;
  uint32_t seen[kThreads] = {};  // of each author, the number after the last one got from the shared queue
  uint32_t held[4] = {}, held_count = 0;  // what the messages that are being sent refer to
  alignas(8) unsigned char out[2 * kRecordUnits * kUnit] = {}, in[kMostGot * kRecordUnits * kUnit] = {};

  Sum& sum() const { return sums[number]; }
  uint32_t below(uint32_t n) {
    random = random * 1664525 + 1013904223;
    return (random >> 8) % n;
  }
  void let_go() {
    while (held_count > 0) close(ground->arena, me, held[--held_count]);
  }
};

inline const Record& record_at(const unsigned char* at) { return *reinterpret_cast<const Record*>(at); }
inline uint32_t units_at(const unsigned char* at) {
  return static_cast<uint32_t>(record_units(record_at(at)));
}
inline Reference* references_at(unsigned char* at) {
  return reinterpret_cast<Reference*>(at + uint64_t{1 + payload_units(record_at(at))} * kUnit);
}

/// Some have a lock, or a parcel and a lock, which are to be let go when they are put. Returns its units.
inline uint32_t write_message(Life& life, uint32_t number, unsigned char* to) {
  const Arena& arena = ground->arena;
  const uint32_t kind = life.below(4), objects = kind < 2 ? 0 : kind - 1;
  Head head{static_cast<uint32_t>(life.number), number, 0, objects};
  head.length = static_cast<uint32_t>(sizeof head) + life.below(objects == 2 ? 3000 : 150);
  const uint32_t first = life.held_count;
  if (objects == 2) life.held[life.held_count++] = ground->new_block(life.me, kParcel, head.length);
  if (objects > 0) {
    const uint32_t lock = create(arena, life.me);
    arena.slot(lock).detail = number;
    life.held[life.held_count++] = lock;
  }
  const Record r{head.length, (objects > 0 ? 1u << 18 : 0) | (objects == 2 ? kInParcel : 0)};
  memcpy(to, &r, sizeof r);
  void* payload = objects == 2 ? heap_at(arena, ground->heap, life.held[first]) : to + kUnit;
  memset(payload, static_cast<int>(number), head.length);
  memcpy(payload, &head, sizeof head);
  for (uint32_t i = 0; i < objects; i++) references_at(to)[i] = name_of(arena, life.held[first + i]);
  return units_at(to);
}

/// Looks at a message, and closes what it refers to.
inline Head read_message(Life& life, unsigned char* from) {
  const Arena& arena = ground->arena;
  const Record& r = record_at(from);
  const Reference* references = references_at(from);
  const uint32_t count = references_in(r.meta);
  for (uint32_t i = 0; i < count; i++)
    CHECK(holds(arena, life.me, references[i].index) && alive(arena, references[i]));
  const auto* payload =
      r.meta & kInParcel
          ? static_cast<const unsigned char*>(heap_at(arena, ground->heap, references[0].index))
          : from + kUnit;
  Head head;
  memcpy(&head, payload, sizeof head);
  CHECK(head.length == r.length && head.objects == count && head.author < kThreads);
  for (uint32_t i = sizeof head; i < head.length; i++)
    CHECK(payload[i] == static_cast<unsigned char>(head.number));
  if (count > 0) CHECK(arena.slot(references[count - 1].index).detail == head.number);
  for (uint32_t i = 0; i < count; i++) close(arena, life.me, references[i].index);
  life.sum().carried += count;
  return head;
}

}  // namespace mp::test
