// A pipe: two ends, and for each direction a ring (ring.h) with one writer and one reader, that needs no lock.
//
//   Slot of each end (kPipeEnd)                  Block (kPipe)
//   header | sender | receiver | the block       PipeBlock | PipeRing of each direction | the rings' bytes
//
//   sender, receiver of an end   0: nobody has used it yet     id: that participant uses it, and nobody else may
//                                kAbandoned: its user is gone; the next one may take it
//
// An end is open as long as anybody holds its object: a handle here, one in a child, one under way in a message.
//
// I1  Only an end's sender writes to its ring and moves the tail; only the other end's receiver moves the head. Both are
//     taken by compare-and-swap and given back with close(), or by the sweep of who had them.
// I2  Who is about to sleep leaves a mark (`awaited`) before it looks at the tail, or head, a last time; who moves that looks
//     for a mark afterwards. One of the two sees the other. A mark says what the sleeper has seen, so that who wakes it does not
//     wipe out its next one:
//          writer   tail 4 → 5, sees the mark                                           wipes it out, wakes nobody
//          reader                       wakes by itself, reads, leaves a mark, sees 5                               sleeps
// I3  The other end is gone when its header is no longer its own; its user is when that says kAbandoned. Both are words that
//     a sleeper watches, and whoever changes them wakes it.
// I4  Messages with references are put and got under the pipe's lock, which keeps the keeper's bits right (keepers.h, K3). So
//     they stay where they are for who has the lock; plain ones before them may be got, and overwritten, at any time, by users
//     of the ends that it does not know of.
//
// Writers  tail, head: JavaScript and pipe.cc. sender, receiver: JavaScript, and the sweep. PipeBlock: its maker; keeper and
//          doubt: under the lock.
// Order    the record → tail (release) → the reader; its copy → head (release) → the writer.
// Death    of a user: what it had committed can be read, then comes the end of the stream. Within a put or get under the lock:
//          the next one that has the lock counts the keeper's bits anew.
#pragma once

#include "core/bell.h"
#include "core/ring.h"

namespace mp {

///   tail, head          in units, see ring.h
///   awaited             of `tail`: the mark of a reader that sleeps, or is about to; of `head`: the writer's. 0: nobody
///   carried             where the last record with references ends that was ever put here, or was about to be
struct alignas(128) PipeRing {
  Word tail;
  Word tail_awaited;
  Word carried;
  uint32_t apart[29];
  Word head;
  Word head_awaited;
  uint32_t apart_too[30];
};
static_assert(sizeof(PipeRing) == 256);

///   units     of each ring, a power of two        rings    1 or 2
///   keeper    0: none yet                          doubt    the keeper's bits are to be counted anew
struct alignas(128) PipeBlock {
  uint32_t units;
  uint32_t rings;
  uint32_t keeper;
  uint32_t doubt;
  uint32_t reserved[28];
  PipeRing ring[2];
};
static_assert(sizeof(PipeBlock) == 640);

///   block         the pipe's block: Slot::detail
///   side          0 or 1                              other, other_header   the slot of the other end, and the low half of
///                 all three: set by the pipe's maker                        its header as long as it is that end
struct PipeEnd {
  std::atomic<uint64_t> header;
  Word sender;
  Word receiver;
  uint32_t side;
  uint32_t unused;
  uint32_t block;
  uint32_t extent_class;
  uint32_t other;
  uint32_t other_header;
};
static_assert(offsetof(PipeEnd, sender) == offsetof(Slot, word) &&
              offsetof(PipeEnd, receiver) == offsetof(Slot, claim) &&
              offsetof(PipeEnd, block) == offsetof(Slot, detail) &&
              offsetof(PipeEnd, other) == offsetof(Slot, extent));

// clang-format off
//        struct         field              offset  size
#define MP_PIPE_LAYOUT(PIN)                         \
  PIN(PipeRing,      tail,                  0,     4) \
  PIN(PipeRing,      tail_awaited,          4,     4) \
  PIN(PipeRing,      carried,               8,     4) \
  PIN(PipeRing,      head,                128,     4) \
  PIN(PipeRing,      head_awaited,        132,     4) \
  PIN(PipeBlock,     units,                 0,     4) \
  PIN(PipeBlock,     rings,                 4,     4) \
  PIN(PipeBlock,     keeper,                8,     4) \
  PIN(PipeBlock,     doubt,                12,     4) \
  PIN(PipeBlock,     ring,                128,   512) \
  PIN(PipeEnd,       sender,                8,     4) \
  PIN(PipeEnd,       receiver,             12,     4) \
  PIN(PipeEnd,       side,                 16,     4) \
  PIN(PipeEnd,       other,                32,     4) \
  PIN(PipeEnd,       other_header,         36,     4)
// clang-format on
MP_PIPE_LAYOUT(MP_PIN)

/// A pipe as one of its ends' users has it. Rings are numbered by their writers' ends.
struct PipeDesk {
  const Arena& arena;
  uint32_t index;  // of the block
  PipeBlock& block;
  OwnerId me;

  Ring ring(uint32_t number) const {
    return {reinterpret_cast<unsigned char*>(&block + 1) + uint64_t{number} * block.units * kUnit,
            block.units};
  }
};

/// So many bytes of blocks may be under way in a direction; a message that has more goes alone. Few, so that they are used again
/// while their pages are in the processor's cache.
inline constexpr uint64_t kPipeBlockBytesMax = uint64_t{4} << 20;

enum class PipeResult : uint32_t { done, waits, too_large, damaged, failed };

/// Puts a record that has references behind the tail of a ring whose sender the caller is. Blocks while the other side does
/// the like.
PipeResult pipe_put(const PipeDesk& desk, uint32_t ring, const unsigned char* record, uint32_t units,
                    platform::Failure* failed);
/// Gets the record in front of a ring whose receiver the caller is, and for it a reference to each object it refers to.
PipeResult pipe_get(const PipeDesk& desk, uint32_t ring, unsigned char* out, uint32_t room, uint32_t* units,
                    platform::Failure* failed);

/// Wakes who waits for a tail, or head, to move: by whom it was moved (I2).
inline void pipe_wake(Word& moved, Word& awaited) {
  uint32_t mark = awaited.load(std::memory_order_seq_cst);
  if (mark == 0 || mark == sleep_mark(moved.load(std::memory_order_relaxed))) return;
  awaited.compare_exchange_strong(mark, 0, std::memory_order_seq_cst);
  platform::unpark(&moved, platform::kAll);
}

/// The word of an end's header that says whether it is still that end.
inline Word& end_header(const Arena& arena, uint32_t end) {
  return *reinterpret_cast<Word*>(&arena.slot(end).header);
}
/// In a sweep: the end's users are gone if it was them.
void pipe_end_abandon(const Arena& arena, uint32_t end, OwnerId dead);
/// When an end has been freed: tells who waits for it.
inline void pipe_end_freed(const Arena& arena, uint32_t end) {
  platform::unpark(&end_header(arena, end), platform::kAll);
}

}  // namespace mp
