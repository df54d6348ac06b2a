// A real arena in this process, and what tests count in it.
#pragma once

#include <unistd.h>

#include "core/blocks.h"
#include "core/lock.h"
#include "core/objects.h"
#include "core/participants.h"
#include "support/check.h"

namespace mp::test {

inline constexpr uint64_t kTestHeapBytes = uint64_t{1} << 30;

inline Arena make_arena(uint64_t heap_bytes = kTestHeapBytes) {
  Arena arena;
  void* base;
  CHECK(!platform::memory_create("multiproc-test", kHeapOffset + heap_bytes, &arena.fd));
  CHECK(!platform::memory_map(arena.fd, kArenaBytes, &base));
  arena.base = static_cast<unsigned char*>(base);
  CHECK(!arena_format(arena, 42, heap_bytes));
  return arena;
}
inline unsigned char* map_heap(const Arena& arena) {
  void* base;
  CHECK(!platform::memory_map_part(arena.fd, kHeapOffset, arena.heap_bytes(), &base));
  return static_cast<unsigned char*>(base);
}
/// Unmaps it. Whoever this thread is in it leaves first: the kernel's list of a thread's tokens must not lead into memory
/// that is no more.
inline void drop_arena(Arena& arena) {
  for (uint32_t slot = 1; slot <= arena.header().participant_high.load(); slot++) {
    const OwnerId id = owner_id(slot, arena.participant(slot).state.load() >> 1);
    platform::Watch unused;
    Identity who;
    char name[kNameBytes];
    if (!participant_info(arena, id, &who, name) || owner_dead(arena, id, &unused)) continue;
    if (who.pid == platform::process_id() && who.thread == platform::thread_id())
      participant_leave(arena, id);
  }
  platform::memory_unmap(arena.base, kArenaBytes);
  close(arena.fd);
  arena = {};
}

inline OwnerId enter(const Arena& arena) {
  platform::Failure failed;
  const uint32_t pid = platform::process_id();
  const OwnerId me =
      participant_enter(arena, {pid, platform::thread_id(), 0, platform::process_start_time(pid)}, &failed);
  CHECK(me != 0);
  return me;
}
inline uint32_t create(const Arena& arena, OwnerId me, uint32_t kind = kLock) {
  uint32_t index = 0;
  CHECK(!object_create(arena, me, kind, 0, 0, &index));
  return index;
}
inline void close(const Arena& arena, OwnerId me, uint32_t index) {
  object_close(arena, owner_slot(me), index);
}
inline bool open(const Arena& arena, OwnerId me, uint32_t index, uint32_t generation, uint32_t kind = kLock) {
  platform::Failure failed;
  const bool opened = object_open(arena, me, index, generation, kind, &failed);
  CHECK(!failed);
  return opened;
}
inline uint32_t generation_of(const Arena& arena, uint32_t index) {
  return header_generation(arena.slot(index).header.load());
}

struct Census {
  uint32_t objects = 0, spares = 0, participants = 0;
};
inline Census census(const Arena& arena) {
  Census c;
  for (uint32_t i = 1; i < arena.header().slots_reserved.load(); i++) {
    const uint32_t kind = header_kind(arena.slot(i).header.load());
    c.spares += kind == kSpare;
    c.objects += kind != kFree && kind != kSpare;
  }
  for (uint32_t p = 1; p <= arena.header().participant_high.load(); p++)
    c.participants += arena.participant(p).state.load() & kLive;
  return c;
}

inline constexpr int64_t kMs = 1'000'000, kSecond = 1'000'000'000;
inline int64_t in(int64_t ns) { return platform::monotonic_now() + ns; }

}  // namespace mp::test
