// Explores objects: creating, opening, granting and closing by a few participants, any of whom may die at any step.
//
// usage: object_explore [seeds] | object_explore 1 <seed>
#include "fake/ground.h"

using namespace mp;
using namespace mp::fake;

namespace {

struct Name {
  uint32_t index = 0, generation = 0, kind = kLock;
};
struct Letter : Name {
  bool sent = false;  // the grant has returned
};
struct Hold {
  Name name;
  uint64_t epoch = 0;  // of this hold; 0: none
};
constexpr uint64_t kSizes[] = {64, 4096, kWarmBlockMax + 1};  // sharing a page, kept warm, not kept
constexpr int kHolds = 4, kBoard = 3, kPeople = 65;

Hold holds[kPeople][kHolds];  // what each coroutine believes it has open
Name board[kBoard];           // handles anybody may try to open
Letter letters[kPeople];      // a handle granted to that coroutine, not read yet
uint32_t closing[kPeople];    // the object that coroutine is giving back right now
OwnerId who[kPeople];
uint64_t epochs;
uint32_t born, born_at_most;

struct Sum {
  uint64_t created, opened, gone, granted, taken_up, closed, kills;
} sum;

bool lives_as(const Name& n) {
  const auto h = arena.slot(n.index).header.peek();
  return header_generation(h) == n.generation && header_kind(h) == n.kind;
}
void check_holds(int id) {
  for (const Hold& h : holds[id])
    if (h.epoch != 0 && !lives_as(h.name)) fail("O2: an object was freed under somebody who has it open");
}
Hold* room() {
  for (Hold& h : holds[self()])
    if (h.epoch == 0) return &h;
  return nullptr;
}
Hold* any_hold() {
  Hold& h = holds[self()][random(kHolds)];
  return h.epoch != 0 ? &h : nullptr;
}
bool have(const Name& n) {
  for (const Hold& h : holds[self()])
    if (h.epoch != 0 && h.name.index == n.index) return true;
  return false;
}
/// Somebody alive who has had it open since before `epoch`.
bool held_all_along(const Name& n, uint64_t epoch) {
  for (int p = 0; p < kPeople; p++)
    for (const Hold& h : holds[p])
      if (h.epoch != 0 && h.epoch <= epoch && h.name.index == n.index && h.name.generation == n.generation)
        return true;
  return false;
}

void citizen(uint64_t rounds);
void death(int id) {
  for (Hold& h : holds[id]) h.epoch = 0;
  if (born < born_at_most) born++, spawn(citizen, 5 + random(6));
}

void open(OwnerId me, const Name n, bool granted) {
  Hold* h = room();
  if (h == nullptr || n.index == 0 || have(n)) return;
  const uint64_t before = epochs;
  platform::Failure failed;
  if (object_open(arena, me, n.index, n.generation, n.kind, &failed)) {
    h->name = n;
    h->epoch = ++epochs;
    sum.opened++;
    sum.taken_up += granted;
    return;
  }
  sum.gone++;
  if (granted) fail("a granted reference is gone");
  if (held_all_along(n, before)) fail("told that an object is gone while somebody has it open");
}

void close(OwnerId me, uint32_t index) {
  closing[self()] = index;
  object_close(arena, owner_slot(me), index);
  closing[self()] = 0;
}

void citizen(uint64_t rounds) {
  const OwnerId me = enter();
  const int id = self();
  who[id] = me;
  for (uint64_t i = 0; i < rounds; i++) {
    check_holds(id);
    switch (random(6)) {
      case 0: {
        Hold* h = room();
        if (h == nullptr) break;
        NewBlock made;
        const uint32_t kind = random(2) == 0 ? kLock : kArray;
        if (kind == kLock && object_create(arena, me, kLock, 0, 0, &made.index)) fail("object_create");
        if (kind == kArray && block_create(arena, me, kArray, 0, kSizes[random(3)], &made))
          fail("block_create");
        h->name = {made.index, header_generation(arena.slot(made.index).header.peek()), kind};
        if (kind == kArray && arena.slot(made.index).warm.peek() < arena.slot(made.index).bytes)
          fail("B4: a block without all its pages");
        h->epoch = ++epochs;
        board[random(kBoard)] = h->name;
        sum.created++;
        break;
      }
      case 1:
      case 2:
        open(me, board[random(kBoard)], false);
        break;
      case 3: {
        Hold* h = any_hold();
        const int to = 1 + static_cast<int>(random(8));
        if (h == nullptr || to == id || !alive(to) || who[to] == 0 || letters[to].index != 0) break;
        if (closing[to] == h->name.index) break;  // one bit: what is granted now is given back with it
        letters[to] = {h->name, false};
        platform::Failure failed;
        const bool granted = object_grant(arena, who[to], h->name.index, &failed);
        if (letters[to].index != h->name.index) break;  // it has closed the object meanwhile
        letters[to].sent = granted;
        sum.granted += granted;
        break;
      }
      case 4:
        if (letters[id].sent) {
          const Name n = letters[id];
          letters[id] = {};
          open(me, n, true);
          if (!have(n)) close(me, n.index);  // no room to keep it
        }
        break;
      default: {
        Hold* h = any_hold();
        if (h == nullptr) break;
        if (letters[id].index == h->name.index) letters[id] = {};  // one bit, one reference
        h->epoch = 0;
        close(me, h->name.index);
        sum.closed++;
      }
    }
  }
  check_holds(id);
  for (Hold& h : holds[id]) h.epoch = 0;
  who[id] = 0;
  letters[id] = {};
  if (random(3) != 0) participant_leave(arena, me);
}

/// Everybody is gone: every slot is free or spare, and no two extents overlap.
void check_extents() {
  uint64_t warm = 0, spares = 0, counted = 0;
  for (uint32_t i = 1; i < kSlotsPerChunk; i++) {
    const Slot& slot = arena.slot(i);
    const uint32_t its = slot.extent_class.peek(), kind = header_kind(slot.header.peek());
    if (kind != (its == 0 ? kFree : kSpare)) fail("a slot is left behind");
    if (its == 0) continue;
    spares++;
    warm += slot.warm.peek() & ~kUnsure;
    if (its > kPageClass && slot.warm.peek() > kWarmBlockMax) fail("a spare keeps too many pages");
    for (uint32_t j = 1; j < i; j++) {
      const Slot& other = arena.slot(j);
      if (other.extent_class.peek() == 0) continue;
      if (slot.extent < other.extent + class_bytes(other.extent_class.peek() - 1) &&
          other.extent < slot.extent + class_bytes(its - 1))
        fail("B1: two extents overlap");
    }
  }
  for (const ExtentClass& c : arena.heap().classes) counted += c.spares.peek();
  if (kills() == 0 && (counted != spares || arena.heap().warm.peek() != warm)) fail("the counters are off");
}

void one(uint64_t seed) {
  World w = world_of(seed, seed % 2 == 1);
  w.on_death = death;
  begin(w);
  ground_clean();
  for (auto& person : holds)
    for (Hold& h : person) h = {};
  for (Letter& l : letters) l = {};
  memset(closing, 0, sizeof closing);
  memset(who, 0, sizeof who);
  for (Name& n : board) n = {};
  epochs = 0;
  born = 0;
  born_at_most = 8;
  const uint32_t n = 2 + random(4);
  for (uint32_t i = 0; i < n; i++) spawn(citizen, 8 + random(20));
  run();
  sum.kills += kills();
  participants_sweep(arena);
  check_extents();
  for (uint32_t p = 1; p < 80; p++)
    if (p != owner_slot(keeper) && arena.participant(p).state.peek() & 1)
      fail("a participant is left behind");
  if (arena.header().slots_reserved.peek() != kSlotsPerChunk) fail("the arena has grown");
}

}  // namespace

int main(int argc, char** argv) {
  ground_prepare();
  const Range r = seeds(argc, argv, 20'000);
  for (uint64_t s = r.from; s < r.from + r.count; s++) one(s);
  printf(
      "objects: %llu seeds, %llu created, %llu opened, %llu found gone, %llu granted (%llu taken up), %llu "
      "closed, %llu kills\n",
      static_cast<unsigned long long>(r.count), static_cast<unsigned long long>(sum.created),
      static_cast<unsigned long long>(sum.opened), static_cast<unsigned long long>(sum.gone),
      static_cast<unsigned long long>(sum.granted), static_cast<unsigned long long>(sum.taken_up),
      static_cast<unsigned long long>(sum.closed), static_cast<unsigned long long>(sum.kills));
}
