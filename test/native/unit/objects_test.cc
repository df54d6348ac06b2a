#include "support/arena.h"

using namespace mp;
using namespace mp::test;

namespace {
struct Ground {
  Arena arena = make_arena();
  OwnerId me = enter(arena), other = enter(arena);  // one thread may be two participants
  ~Ground() { drop_arena(arena); }
};
}  // namespace

TEST("objects: made, opened by another, kept until both have closed") {
  Ground g;
  const uint32_t i = create(g.arena, g.me, kValue), generation = generation_of(g.arena, i);
  CHECK(header_kind(g.arena.slot(i).header.load()) == kValue);
  CHECK(open(g.arena, g.other, i, generation, kValue));
  close(g.arena, g.me, i);
  CHECK(census(g.arena).objects == 1);
  CHECK(open(g.arena, g.me, i, generation, kValue));
  close(g.arena, g.me, i);
  close(g.arena, g.other, i);
  CHECK(census(g.arena).objects == 0);
  CHECK(!open(g.arena, g.me, i, generation, kValue));
}

TEST("objects: handles that name nothing, or something else, do not open") {
  Ground g;
  const uint32_t i = create(g.arena, g.me), generation = generation_of(g.arena, i);
  CHECK(!open(g.arena, g.other, i, generation + 1));
  CHECK(!open(g.arena, g.other, i, generation, kValue));
  CHECK(!open(g.arena, g.other, i, generation, kLock | kDying));
  CHECK(!open(g.arena, g.other, 0, 0));
  CHECK(!open(g.arena, g.other, i + 1, 0));
  CHECK(!open(g.arena, g.other, kSlotsPerChunk, 0));
  CHECK(!open(g.arena, g.other, UINT32_MAX, 0));
  CHECK(census(g.arena).objects == 1);
}

TEST("objects: a slot that is used again has another generation and clean words") {
  Ground g;
  const uint32_t i = create(g.arena, g.me), first = generation_of(g.arena, i);
  CHECK(lock_try(g.arena, g.arena.slot(i), g.me) == Outcome::acquired);
  g.arena.slot(i).claim.store(g.me);
  close(g.arena, g.me, i);
  CHECK(create(g.arena, g.other) == i);
  CHECK(generation_of(g.arena, i) != first);
  CHECK(g.arena.slot(i).word.load() == 0 && g.arena.slot(i).claim.load() == 0);
  CHECK(!open(g.arena, g.me, i, first));
}

TEST("objects: a generation wraps at 24 bits") {
  Ground g;
  const uint32_t i = create(g.arena, g.me);
  g.arena.slot(i).header.store(header_of(0xffffff, kLock));
  close(g.arena, g.me, i);
  CHECK(g.arena.slot(i).header.load() == header_of(0, kFree));
}

TEST("objects: a grant keeps an object that its giver closes") {
  Ground g;
  const uint32_t i = create(g.arena, g.me), generation = generation_of(g.arena, i);
  platform::Failure failed;
  CHECK(object_grant(g.arena, g.other, i, &failed) && !failed);
  close(g.arena, g.me, i);
  CHECK(open(g.arena, g.other, i, generation));
  close(g.arena, g.other, i);
  CHECK(census(g.arena).objects == 0);
}

TEST("objects: a stale handle does not take away what was granted") {
  Ground g;
  const uint32_t i = create(g.arena, g.me), old = generation_of(g.arena, i);
  close(g.arena, g.me, i);
  CHECK(create(g.arena, g.me) == i);
  platform::Failure failed;
  CHECK(object_grant(g.arena, g.other, i, &failed));
  CHECK(!open(g.arena, g.other, i, old));
  close(g.arena, g.me, i);
  CHECK(open(g.arena, g.other, i, old + 1));
}

TEST("objects: nothing is granted to one that has left, nor to its successor") {
  Ground g;
  const uint32_t i = create(g.arena, g.me);
  const OwnerId gone = g.other;
  participant_leave(g.arena, g.other);
  platform::Failure failed;
  CHECK(!object_grant(g.arena, gone, i, &failed));
  const OwnerId next = enter(g.arena);
  CHECK(owner_slot(next) == owner_slot(gone) && next != gone);
  CHECK(!object_grant(g.arena, gone, i, &failed));
  close(g.arena, g.me, i);
  CHECK(census(g.arena).objects == 0);
}

TEST("objects: closing twice is harmless") {
  Ground g;
  const uint32_t i = create(g.arena, g.me);
  close(g.arena, g.me, i);
  close(g.arena, g.me, i);
  CHECK(census(g.arena).objects == 0);
}

TEST("objects: 10,000 rounds of making and closing take no more room") {
  Ground g;
  for (int round = 0; round < 10'000; round++) {
    const uint32_t a = create(g.arena, g.me), b = create(g.arena, g.other);
    CHECK(a < 8 && b < 8);
    close(g.arena, round % 2 ? g.me : g.other, round % 2 ? a : b);
    close(g.arena, round % 2 ? g.other : g.me, round % 2 ? b : a);
  }
  CHECK(g.arena.header().slots_reserved.load() == kSlotsPerChunk);
  CHECK(census(g.arena).objects == 0);
}

TEST("objects: more than a chunk and more than a page of bits, and all of it given back") {
  Ground g;
  constexpr uint32_t kMany = kSlotsPerRegion + 2000;
  for (uint32_t n = 0; n < kMany; n++) create(g.arena, g.me);
  CHECK(census(g.arena).objects == kMany);
  participant_leave(g.arena, g.me);
  CHECK(census(g.arena).objects == 0);
  CHECK(create(g.arena, g.other) < 8);  // and the room is found again
}
