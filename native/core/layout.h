// What lies in the arena, and where. Everything another build may rely on is pinned here: a change of a pinned row is a
// new kLayoutVersion. All members are fixed-width and native-endian; no pointers, no bool; zero bytes are a valid start.
//
//   offset      region                                   grows by
//   0           SegmentHeader, ArenaHeader               one page
//   4 KiB       Participant[4096]                        made whole at creation (768 KiB)
//   1 MiB       [4096] holder bitmap, 128 KiB, and       a page each a participant for each 32,768 objects it may hold
//                      waiter bitmap, 128 KiB
//   1,025 MiB   Slot[1,048,576]                          64 KiB at a time
//   1,089 MiB   Keeper[1024]                             a page at a time, see keepers.h
//   1,090 MiB   [1024] bitmap, 128 KiB                   a page each a keeper for each 32,768 objects it may keep
//   1,280 MiB   the heap: the bytes of arrays            an extent at a time, see blocks.h
//
// The file is sparse: what is not reserved costs address space only. Processes map what lies in front of the heap at once
// and for good, parts of the heap when they need them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/owner.h"
#include "platform/platform.h"

namespace mp {

using platform::Token;
using platform::Word;

inline constexpr uint32_t kMagic = 0x4d50524f;  // "MPRO"
inline constexpr uint32_t kLayoutVersion = 2;   // 2: keepers

/// The first 64 bytes of every segment of ours.
///
///   field            writer           rule
///   all but state    creator, once    fixed before state says ready
///   state            creator, once    kReady is stored last: an opener that sees it sees the rest
///   size                              of the whole file, the arena's heap included
///   creator_fd                        the arena's descriptor in its creator, where others may find it
struct SegmentHeader {
  uint32_t magic;
  uint32_t layout_version;
  uint32_t kind;
  Word state;
  uint64_t size;
  uint64_t id;             // random: tells this tree's arena from another's
  uint64_t pid_namespace;  // in which the pids below mean something
  uint32_t creator_pid;
  uint32_t token_layout;  // of the creator's libc
  uint32_t creator_fd;
  uint32_t reserved[3];
};
enum SegmentKind : uint32_t { kArenaSegment = 1 };
enum SegmentState : uint32_t { kUnready = 0, kReady = 1 };

///   field             writer                 rule
///   participant_high  whoever takes a slot   only grows: no participant above it has ever existed
///   slots_reserved    whoever grows          only grows: slots below it have real pages
///   free_hint         anyone                 a hint where to look first; never trusted
///   keeper_high       whoever takes a keeper only grows: no keeper at or above it has ever been taken
struct ArenaHeader {
  Word participant_high;
  Word slots_reserved;
  Word free_hint;
  Word keeper_high;
  uint32_t reserved[12];
};

/// Extents come in classes: class c has 64 << c bytes.
inline constexpr uint32_t kClassMax = 39;
inline constexpr uint32_t kHintsPerClass = 14;

///   field        writer           rule
///   spares       whoever frees    about how many slots of the class are spare: may drift by deaths, is counted again
///   cursor       anyone           where the search of all slots goes on
///   hint         anyone           slots that were spare; never trusted. 0: none
struct ExtentClass {
  Word spares;
  Word cursor;
  Word hint[kHintsPerClass];
};

///   field        writer           rule
///   used         who carves       only grows: no byte of the heap at or above it belongs to a slot
///   small_next   who carves       where the next extent below a page goes; a multiple of the chunk's size: nowhere
///   warm         whoever frees    about how many bytes of pages the spare slots keep; drifts as `spares` does
struct alignas(64) HeapHeader {
  std::atomic<uint64_t> used;
  std::atomic<uint64_t> small_next;
  std::atomic<uint64_t> warm;
  uint32_t reserved[10];
  ExtentClass classes[kClassMax];
};

inline constexpr uint32_t kNameBytes = 64;
inline constexpr uint32_t kLive = 1,
                          kEnding = 1u << 31;  // Participant::state; ending is live and one bit more

/// One JavaScript environment (a main thread or a worker thread) of the process tree.
///
///   token    state            meaning
///   free     free(g)          nobody; the next taker becomes generation g+1
///   taken    free(g)          being taken: the taker has the token and writes the fields
///   taken    live(g)          a participant, alive
///   dead     live(g)          it died; whoever takes the token next sweeps it
///   taken    live(g)          (by a sweeper) being swept: looks alive until its holdings are given back
///   taken    ending(g)        (by a sweeper or a leaver) they are; what has been granted to it too late goes now
///   dead     ending(g)        the sweeper died: swept again
///   dead     free(g)          its taker died while taking or its sweeper after the sweep: nothing to give back
///
/// P1  Only the thread that has taken the token writes `state`, `pid`, … ; a token has one taker at a time.
/// P2  live(g) ends only after everything generation g held has been given back (see participants.cc, sweep).
/// P3  `dropping`, if not 0, is the slot whose reference is being made, taken or given back here right now, or whose pages
///     are: its bit is not settled. The next sweeper tries to free that slot; a granter waits.
/// P4  Holder bits count while `state` says live(g). Those set before ending(g) are cleared, and their objects freed,
///     before free(g); a bit granted later than that counts for nothing, and entering clears it.
/// P5  Waiter bits say for which locks an attempt of the participant is parked, or was a moment ago (lock.h, L7). Those of
///     the dead count for nothing; entering clears them.
/// Writers  token: its taker and the kernel. All else: the token's taker. Holder bitmap: see objects.h. Waiter bitmap and
///          `waits`: the participant's attempts to get a lock.
/// Death    at any step the token is marked by the kernel and P2/P3 tell the next taker what is left to do.
struct alignas(64) Participant {
  Token token;
  Word state;        // kEnding | generation << 1 | kLive
  Word dropping;     // P3
  Word regions;      // bit r: page r of both bitmaps is reserved; only grows
  Word pid;          // read by others while the next taker may be writing it: they check `state` again
  Word thread;       // the system's thread id
  Word environment;  // 0: main thread; else the worker thread's id
  std::atomic<uint64_t> start_time;
  std::atomic<uint64_t> pid_namespace;  // in which pid and thread mean something; 0: in everybody's
  Word waits;                           // of a named lock: what the waiter bitmap says for the one lock there
  uint32_t reserved[5];
  std::atomic<char> name[kNameBytes];  // UTF-8, NUL-terminated; may be torn while it is being changed
};

/// A shared object. Every kind has its lock words at the same place, so a late waiter of an earlier object can at most
/// wake somebody without cause: slots are type-stable by construction.
///
///   header   [63..32] turn  [31..8] generation  [7..0] kind; see objects.h
///   word     the lock word, see lock.h      claim   the starving waiter, see lock.h
///   detail   constant of the kind (a type's number)          value   a Value's cell
///   blocked_on   of deadlock detection: what the owner of the lock waits for (src/sync/deadlock.ts)
///   extent, extent_class, bytes, warm     what a block has of the heap, see blocks.h; zero in all other slots, but for those
///                that see them as something else (monitor.h)
struct alignas(64) Slot {
  std::atomic<uint64_t> header;
  Word word;
  Word claim;
  std::atomic<uint64_t> value;
  uint32_t detail;
  Word extent_class;
  uint64_t extent;
  uint64_t bytes;
  std::atomic<uint64_t> warm;
  std::atomic<uint64_t> blocked_on;
};

/// Who keeps objects that are under way in a queue or pipe: see keepers.h, where its fields are explained.
struct alignas(64) Keeper {
  std::atomic<uint64_t> object;
  Word changer;
  Word regions;
  uint32_t reserved[12];
};

inline constexpr uint32_t kKeeperMax = 1024;
inline constexpr uint32_t kSlotMax = 1u << 20;
inline constexpr uint32_t kSlotsPerChunk = 1024;
inline constexpr size_t kPage = 4096;
inline constexpr uint32_t kSlotsPerRegion = kPage * 8;  // slots that one page of a bitmap covers
inline constexpr size_t kBitmapBytes = kSlotMax / 8;
inline constexpr size_t kBitmapsStride = 2 * kBitmapBytes;

inline constexpr size_t kArenaHeaderOffset = sizeof(SegmentHeader);
inline constexpr size_t kHeapHeaderOffset = kArenaHeaderOffset + sizeof(ArenaHeader);
inline constexpr size_t kParticipantsOffset = kPage;
inline constexpr size_t kBitmapsOffset = size_t{1} << 20;
inline constexpr size_t kSlotsOffset = kBitmapsOffset + kParticipantMax * kBitmapsStride;
inline constexpr size_t kKeepersOffset = kSlotsOffset + size_t{kSlotMax} * sizeof(Slot);
inline constexpr size_t kKeeperBitmapsOffset = kKeepersOffset + (size_t{1} << 20);
inline constexpr size_t kArenaBytes = kKeeperBitmapsOffset + kKeeperMax * kBitmapBytes;  // all but the heap
inline constexpr uint64_t kHeapOffset = uint64_t{5} << 28;
inline constexpr uint64_t kHeapBytesMax = uint64_t{1} << 44;

static_assert(kHeapHeaderOffset + sizeof(HeapHeader) <= kParticipantsOffset);
static_assert(uint64_t{64} << (kClassMax - 1) == kHeapBytesMax);
static_assert(kArenaBytes <= kHeapOffset);
static_assert(kKeepersOffset + kKeeperMax * sizeof(Keeper) <= kKeeperBitmapsOffset);
static_assert(kParticipantsOffset + kParticipantMax * sizeof(Participant) <= kBitmapsOffset);
static_assert(kSlotMax / kSlotsPerRegion <= 32, "Participant::regions has a bit for each");
static_assert(kSlotsOffset % kPage == 0 && kSlotsPerChunk * sizeof(Slot) % kPage == 0);

// clang-format off
//        struct         field              offset  size
#define MP_LAYOUT(PIN)                              \
  PIN(SegmentHeader, magic,                 0,     4) \
  PIN(SegmentHeader, layout_version,        4,     4) \
  PIN(SegmentHeader, kind,                  8,     4) \
  PIN(SegmentHeader, state,                12,     4) \
  PIN(SegmentHeader, size,                 16,     8) \
  PIN(SegmentHeader, id,                   24,     8) \
  PIN(SegmentHeader, pid_namespace,        32,     8) \
  PIN(SegmentHeader, creator_pid,          40,     4) \
  PIN(SegmentHeader, token_layout,         44,     4) \
  PIN(SegmentHeader, creator_fd,           48,     4) \
  PIN(ArenaHeader,   participant_high,      0,     4) \
  PIN(ArenaHeader,   slots_reserved,        4,     4) \
  PIN(ArenaHeader,   free_hint,             8,     4) \
  PIN(ArenaHeader,   keeper_high,          12,     4) \
  PIN(Keeper,        object,                0,     8) \
  PIN(Keeper,        changer,               8,     4) \
  PIN(Keeper,        regions,              12,     4) \
  PIN(ExtentClass,   spares,                0,     4) \
  PIN(ExtentClass,   cursor,                4,     4) \
  PIN(ExtentClass,   hint,                  8,    56) \
  PIN(HeapHeader,    used,                  0,     8) \
  PIN(HeapHeader,    small_next,            8,     8) \
  PIN(HeapHeader,    warm,                 16,     8) \
  PIN(HeapHeader,    classes,              64,  2496) \
  PIN(Participant,   token,                 0,    64) \
  PIN(Participant,   state,                64,     4) \
  PIN(Participant,   dropping,             68,     4) \
  PIN(Participant,   regions,              72,     4) \
  PIN(Participant,   pid,                  76,     4) \
  PIN(Participant,   thread,               80,     4) \
  PIN(Participant,   environment,          84,     4) \
  PIN(Participant,   start_time,           88,     8) \
  PIN(Participant,   pid_namespace,        96,     8) \
  PIN(Participant,   waits,               104,     4) \
  PIN(Participant,   name,                128,    64) \
  PIN(Slot,          header,                0,     8) \
  PIN(Slot,          word,                  8,     4) \
  PIN(Slot,          claim,                12,     4) \
  PIN(Slot,          value,                16,     8) \
  PIN(Slot,          detail,               24,     4) \
  PIN(Slot,          extent_class,         28,     4) \
  PIN(Slot,          extent,               32,     8) \
  PIN(Slot,          bytes,                40,     8) \
  PIN(Slot,          warm,                 48,     8) \
  PIN(Slot,          blocked_on,           56,     8)
// clang-format on

#define MP_PIN(type, field, at, bytes) \
  static_assert(offsetof(type, field) == (at) && sizeof(type::field) == (bytes), #type "." #field " moved");
MP_LAYOUT(MP_PIN)
static_assert(sizeof(SegmentHeader) == 64 && sizeof(ArenaHeader) == 64 && sizeof(HeapHeader) == 2560 &&
              sizeof(Participant) == 192 && sizeof(Slot) == 64);

}  // namespace mp
