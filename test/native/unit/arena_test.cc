#include "support/arena.h"

using namespace mp;
using namespace mp::test;

namespace {
/// A good header with one thing changed.
template <class Change>
ArenaCheck checked(Change change, size_t size = kHeapOffset + kTestHeapBytes) {
  static const Arena arena = make_arena();
  alignas(SegmentHeader) unsigned char bytes[sizeof(SegmentHeader)];
  memcpy(bytes, arena.base, sizeof bytes);
  auto& header = *reinterpret_cast<SegmentHeader*>(bytes);
  change(header);
  return arena_check(header, size);
}
}  // namespace

TEST("arena: a fresh one can be used") {
  CHECK(checked([](SegmentHeader&) {}) == ArenaCheck::ok);
}

TEST("arena: what is none, or another build's, is told apart") {
  CHECK(checked([](SegmentHeader& h) { h.magic = 0x12345678; }) == ArenaCheck::not_an_arena);
  CHECK(checked([](SegmentHeader& h) { h.kind = 99; }) == ArenaCheck::not_an_arena);
  CHECK(checked([](SegmentHeader& h) { h.layout_version++; }) == ArenaCheck::other_version);
  CHECK(checked([](SegmentHeader& h) { h.size /= 2; }) == ArenaCheck::other_size);
  CHECK(checked([](SegmentHeader&) {}, kArenaBytes) == ArenaCheck::other_size);
  CHECK(checked([](SegmentHeader& h) { h.size = kHeapOffset - 1; }, kHeapOffset - 1) ==
        ArenaCheck::other_size);
  CHECK(checked([](SegmentHeader& h) { h.token_layout ^= 4; }) == ArenaCheck::other_libc);
}

TEST("arena: one whose creator has not finished, or died, is unready") {
  CHECK(checked([](SegmentHeader& h) { h.state = kUnready, h.magic = 0; }) == ArenaCheck::unready);
  CHECK(checked([](SegmentHeader& h) { h.state = kUnready; }) == ArenaCheck::unready);
  CHECK(checked([](SegmentHeader& h) { h.state = kUnready, h.magic = 7; }) == ArenaCheck::not_an_arena);
}

TEST("arena: grows by chunks and says when it is full") {
  Arena arena = make_arena();
  CHECK(arena.header().slots_reserved.load() == kSlotsPerChunk);
  CHECK(!arena_grow(arena));
  CHECK(arena.header().slots_reserved.load() == 2 * kSlotsPerChunk);
  arena.slot(2 * kSlotsPerChunk - 1).word.store(1);  // real memory
  arena.header().slots_reserved.store(kSlotMax);
  CHECK(arena_grow(arena).code == 28);
  drop_arena(arena);
}
