#include "core/arena.h"

namespace mp {

platform::Failure arena_format(const Arena& arena, uint64_t id, uint64_t heap_bytes) {
  if (auto failed = platform::memory_reserve(arena.fd, 0, kBitmapsOffset)) return failed;
  for (uint32_t i = 0; i < kParticipantMax; i++) platform::token_init(arena.token(i));
  arena.header().slots_reserved.store(0, std::memory_order_relaxed);
  arena.header().free_hint.store(1, std::memory_order_relaxed);
  if (auto failed = arena_grow(arena)) return failed;
  // Slot 0 is nobody's object; its word is never free. TypeScript points a handle there to send it to the slow path.
  arena.slot(0).word.store(kOwnerMask, std::memory_order_relaxed);

  SegmentHeader& s = arena.segment();
  s.magic = kMagic;
  s.layout_version = kLayoutVersion;
  s.kind = kArenaSegment;
  s.size = kHeapOffset + heap_bytes;
  s.id = id;
  s.pid_namespace = platform::pid_namespace();
  s.creator_pid = platform::process_id();
  s.creator_fd = static_cast<uint32_t>(arena.fd);
  s.token_layout = platform::token_layout();
  s.state.store(kReady, std::memory_order_release);  // last: an opener that sees it sees all of the above
  return {};
}

ArenaCheck arena_check(const SegmentHeader& s, size_t file_size) {
  if (s.state.load(std::memory_order_acquire) != kReady)
    return s.magic == 0 || s.magic == kMagic ? ArenaCheck::unready : ArenaCheck::not_an_arena;
  if (s.magic != kMagic || s.kind != kArenaSegment) return ArenaCheck::not_an_arena;
  if (s.layout_version != kLayoutVersion) return ArenaCheck::other_version;
  // It is sealed: its size never changes.
  if (s.size != file_size || s.size < kHeapOffset || s.size - kHeapOffset > kHeapBytesMax)
    return ArenaCheck::other_size;
  if (s.token_layout != platform::token_layout()) return ArenaCheck::other_libc;
  return ArenaCheck::ok;
}

platform::Failure arena_grow(const Arena& arena) {
  Word& reserved = arena.header().slots_reserved;
  uint32_t now = reserved.load(std::memory_order_acquire);
  if (now >= kSlotMax) return {28 /* ENOSPC on every system of ours */, "arena_grow"};
  // Several may reserve the same chunk at once: reserving twice is harmless, and the count only moves past real pages.
  if (auto failed = platform::memory_reserve(arena.fd, kSlotsOffset + size_t{now} * sizeof(Slot),
                                             size_t{kSlotsPerChunk} * sizeof(Slot)))
    return failed;
  reserved.compare_exchange_strong(now, now + kSlotsPerChunk, std::memory_order_acq_rel);
  return {};
}

}  // namespace mp
