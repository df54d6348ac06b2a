#include "fake/ground.h"

#include <sys/mman.h>

#include "core/named_lock.h"

namespace mp::fake {
namespace {
constexpr uint32_t kParticipants = 80;  // more than coroutines and the keeper
constexpr uint32_t kKeepers = 8;        // more than any exploration takes
unsigned char *tree, *named;

unsigned char* map(size_t bytes) {
  void* base =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) fail("mmap");
  return static_cast<unsigned char*>(base);
}
}  // namespace

void ground_prepare() {
  arena.base = tree = map(kArenaBytes);
  named = map(kNamedLockBytes);
  begin({});
  if (arena_format(arena, 1, kHeapBytesMax)) fail("arena_format");
}

void ground_clean_named(uint32_t kind) {
  arena = {named, -1, &kNamedLockPlan, kind};
  memset(named, 0, 2 * kPage);
  for (uint32_t p = 1; p < kParticipants; p++)
    memset(reinterpret_cast<unsigned char*>(&seat_beside(arena, p)), 0,
           sizeof(Seat) + sizeof(Participant) + sizeof(Token));
  keeper = enter();
}

void ground_clean() {
  arena = {tree, -1, &kTreePlan, 0};
  memset(arena.base + kParticipantsOffset, 0, kParticipants * sizeof(Participant));
  for (uint32_t p = 0; p < kParticipants; p++)
    for (size_t of = 0; of < kBitmapsStride; of += kBitmapBytes)
      memset(arena.base + kBitmapsOffset + p * kBitmapsStride + of, 0, kSlotsPerChunk / 8);
  memset(arena.base + kSlotsOffset, 0, kSlotsPerChunk * sizeof(Slot));
  memset(arena.base + kKeepersOffset, 0, kKeepers * sizeof(Keeper));
  for (uint32_t k = 0; k < kKeepers; k++)
    memset(arena.base + kKeeperBitmapsOffset + k * kBitmapBytes, 0, kSlotsPerChunk / 8);
  arena.header().keeper_high.store(0);
  memset(arena.base + kHeapHeaderOffset, 0, sizeof(HeapHeader));
  arena.header().participant_high.store(0);
  arena.header().slots_reserved.store(kSlotsPerChunk);
  arena.header().free_hint.store(1);
  keeper = enter();
}

uint32_t ground_new(uint32_t kind) {
  uint32_t index;
  if (object_create(arena, keeper, kind, 0, 0, &index)) fail("object_create");
  return index;
}

Range seeds(int argc, char** argv, uint64_t default_count) {
  return {argc > 2 ? strtoull(argv[2], nullptr, 10) : 1,
          argc > 1 ? strtoull(argv[1], nullptr, 10) : default_count};
}

World world_of(uint64_t seed, bool deaths) {
  constexpr uint32_t kPaces[] = {1, 2, 4, 12, 40}, kStalls[] = {0, 3, 10, 40},
                     kDeaths[] = {60, 200, 800, 3000};
  World w;
  w.seed = seed;
  w.switch_one_in = kPaces[seed % 5];
  w.stall_one_in = kStalls[seed / 5 % 4];
  if (deaths) {
    w.kill_one_in = kDeaths[seed / 20 % 4];
    w.kills_at_most = 12;
  }
  constexpr int64_t kStepNs[] = {200, 5'000, 60'000};
  w.step_ns = kStepNs[seed / 80 % 3];
  return w;
}

}  // namespace mp::fake
