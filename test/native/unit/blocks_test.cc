#include <sys/stat.h>

#include "support/arena.h"

using namespace mp;
using namespace mp::test;

namespace {
struct Ground {
  Arena arena;
  OwnerId me, other;
  explicit Ground(uint64_t heap_bytes = kTestHeapBytes)
      : arena(make_arena(heap_bytes)), me(enter(arena)), other(enter(arena)) {
    close(arena, me, create(arena, me));  // the page of its bits
  }
  ~Ground() { drop_arena(arena); }

  Slot& slot(const NewBlock& b) const { return arena.slot(b.index); }
  NewBlock make(uint64_t bytes) {
    NewBlock b;
    CHECK(!block_create(arena, me, kArray, 0, bytes, &b));
    CHECK(slot(b).bytes == bytes);
    return b;
  }
  /// Memory of the whole segment.
  uint64_t pages() const {
    struct stat s;
    CHECK(fstat(arena.fd, &s) == 0);
    return static_cast<uint64_t>(s.st_blocks) * 512;
  }
};
constexpr uint64_t kMiB = 1 << 20;
}  // namespace

TEST("blocks: classes are powers of two from 64 bytes") {
  CHECK(class_of(1) == 0 && class_of(64) == 0 && class_of(65) == 1 && class_of(128) == 1);
  CHECK(class_of(4096) == kPageClass && class_of(4097) == kPageClass + 1);
  CHECK(class_of(kHeapBytesMax) == kClassMax - 1 && class_of(kHeapBytesMax + 1) == kClassMax);
  for (uint32_t c = 0; c < kClassMax; c++) CHECK(class_of(class_bytes(c)) == c);
}

TEST("blocks: extents are aligned, apart from each other, and small ones share pages") {
  Ground g;
  constexpr uint64_t kSizes[] = {1, 64, 100, 4096, 5000, 65, 2048, 200'000, 64, 1};
  uint64_t from[10], to[10];
  for (int i = 0; i < 10; i++) {
    const NewBlock b = g.make(kSizes[i]);
    from[i] = g.slot(b).extent;
    to[i] = from[i] + class_bytes(class_of(kSizes[i]));
    CHECK(from[i] % class_bytes(class_of(kSizes[i])) == 0 && b.dirty == 0);
    for (int j = 0; j < i; j++) CHECK(to[j] <= from[i] || to[i] <= from[j]);
  }
  CHECK(from[0] / kPage == from[1] / kPage && from[0] / kPage == from[2] / kPage);
}

TEST("blocks: one of no bytes has no extent") {
  Ground g;
  const NewBlock b = g.make(0);
  CHECK(g.slot(b).extent_class.load() == 0);
  close(g.arena, g.me, b.index);
  CHECK(census(g.arena).objects == 0 && census(g.arena).spares == 0);
}

TEST("blocks: the next one of a class is made where one was freed, and says what is dirty") {
  Ground g;
  const NewBlock a = g.make(5000);
  const uint32_t generation = generation_of(g.arena, a.index);
  CHECK(open(g.arena, g.other, a.index, generation, kArray));
  close(g.arena, g.me, a.index);
  CHECK(census(g.arena).objects == 1);
  close(g.arena, g.other, a.index);
  CHECK(census(g.arena).objects == 0 && census(g.arena).spares == 1);
  CHECK(!open(g.arena, g.me, a.index, generation, kArray));
  CHECK(!open(g.arena, g.me, a.index, generation + 1, kArray));
  CHECK(g.make(4096).index != a.index);
  const NewBlock b = g.make(8192);
  CHECK(b.index == a.index && generation_of(g.arena, b.index) == generation + 1 && b.dirty == 8192);
  close(g.arena, g.me, b.index);
  CHECK(g.make(6000).dirty == 6000);
}

TEST("blocks: exactly as many pages as the bytes need") {
  Ground g;
  const uint64_t before = g.pages();
  const NewBlock b = g.make(5 * kMiB + 1);
  CHECK(g.pages() - before == 5 * kMiB + kPage);
  CHECK(g.slot(b).warm.load() == 5 * kMiB + kPage);
}

TEST("blocks: spares keep pages up to a budget") {
  Ground g;
  const uint64_t before = g.pages();
  NewBlock many[12], large = g.make(kWarmBlockMax + 1);
  for (NewBlock& b : many) b = g.make(kWarmBlockMax);
  close(g.arena, g.me, large.index);
  CHECK(g.slot(large).warm.load() == 0);
  for (const NewBlock& b : many) close(g.arena, g.me, b.index);
  CHECK(g.pages() - before <= kWarmMax && g.arena.heap().warm.load() == kWarmMax);
  CHECK(spares_trim(g.arena, g.me) == kWarmMax);
  CHECK(g.pages() == before && g.arena.heap().warm.load() == 0);
  const NewBlock again = g.make(kWarmBlockMax);
  CHECK(again.dirty == 0 && g.pages() - before == kWarmBlockMax);
}

TEST("blocks: too much memory is an error, and leaves nothing; a full heap takes larger spares") {
  Ground g(kHeapBytesMax);
  const uint64_t before = g.pages();
  NewBlock b;
  CHECK(block_create(g.arena, g.me, kArray, 0, uint64_t{1} << 43, &b).code == 12);
  CHECK(block_create(g.arena, g.me, kArray, 0, kHeapBytesMax + 1, &b).code == 28);
  CHECK(census(g.arena).objects == 0 && g.pages() == before);
  Ground small(kSmallChunk * 4);
  const NewBlock half = small.make(kSmallChunk * 2);
  close(small.arena, small.me, half.index);
  small.make(kSmallChunk);
  small.make(64);
  CHECK(small.make(kPage).index == half.index);
  CHECK(block_create(small.arena, small.me, kArray, 0, kPage, &b).code == 28);
  CHECK(block_create(small.arena, small.me, kArray, 0, kSmallChunk * 8, &b).code == 28);
}

TEST("blocks: a spare that no hint tells of is found") {
  Ground g;
  const NewBlock a = g.make(100);
  close(g.arena, g.me, a.index);
  ExtentClass& c = g.arena.heap().classes[class_of(100)];
  for (Word& hint : c.hint) hint.store(0);
  c.spares.store(0);
  for (uint32_t i = 0; i < kSlotsPerChunk / 64 + 1; i++)
    if (g.make(100).index == a.index) return;
  CHECK(!"found");
}

TEST("blocks: hints are not trusted") {
  Ground g;
  const NewBlock a = g.make(100);
  ExtentClass& c = g.arena.heap().classes[class_of(100)];
  const uint32_t other = create(g.arena, g.me);
  uint32_t wrong[] = {a.index, other, 77, kSlotMax, UINT32_MAX};
  for (uint32_t w : wrong) {
    c.hint[0].store(w);
    const NewBlock b = g.make(100);
    CHECK(b.index != a.index && b.index != other);
  }
}

TEST("blocks: pages of a participant that died while they came are not taken for certain") {
  Ground g;
  const NewBlock a = g.make(3 * kPage);
  close(g.arena, g.me, a.index);
  g.slot(a).warm.store(4 * kPage | kUnsure);
  const NewBlock b = g.make(4 * kPage);
  CHECK(b.index == a.index && b.dirty == 0 && g.slot(b).warm.load() == 4 * kPage);
  const NewBlock s = g.make(64);
  g.slot(s).warm.store(64 | kUnsure);
  close(g.arena, g.me, s.index);
  CHECK(g.make(64).dirty == 64 && g.slot(s).warm.load() == 64);
}

TEST("blocks: 10,000 rounds take no more room") {
  Ground g;
  for (uint32_t round = 0; round < 10'000; round++) {
    const NewBlock a = g.make(1 + round % 70 * 100), b = g.make(9000);
    close(g.arena, g.me, a.index);
    close(g.arena, g.me, b.index);
  }
  CHECK(g.arena.heap().used.load() < kMiB && census(g.arena).spares < 12);
  CHECK(g.arena.header().slots_reserved.load() == kSlotsPerChunk);
}

TEST("blocks: what a leaver held is spare, and its counters are counted again") {
  Ground g;
  for (int i = 0; i < 100; i++) g.make(100 * static_cast<uint64_t>(i));
  participant_leave(g.arena, g.me);
  CHECK(census(g.arena).objects == 0 && census(g.arena).spares == 99);
  const uint64_t warm = g.arena.heap().warm.load();
  for (ExtentClass& c : g.arena.heap().classes) c.spares.store(12345);
  g.arena.heap().warm.store(1);
  spares_count(g.arena);
  uint32_t spares = 0;
  for (ExtentClass& c : g.arena.heap().classes) spares += c.spares.load();
  CHECK(spares == 99 && g.arena.heap().warm.load() == warm);
}
