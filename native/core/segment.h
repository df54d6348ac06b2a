// What lies at the start of a named segment: enough to know it again, and what it holds, without asking anybody.
//
//   offset   region
//   0        SegmentHeader (layout.h), NamedHeader
//   4 KiB    the data, page-aligned
//
// A named segment is whole before it gets its name. Whoever opens one reads these bytes once into memory of its own,
// checks them there and never looks at them again: another program may change them at any time.
#pragma once

#include "core/layout.h"

namespace mp {

/// Beside kArenaSegment.
enum NamedKind : uint32_t {
  kNamedArray = 2,
  kNamedList = 3,
  kNamedLock = 4,  // from here on: named_lock.h
  kNamedRLock = 5,
  kNamedSemaphore = 6,
  kNamedBoundedSemaphore = 7,
  kNamedEvent = 8,
  kNamedRWLock = 9,
};
constexpr bool is_named_lock(uint32_t kind) { return kind >= kNamedLock && kind <= kNamedRWLock; }

/// Of its own, not the arena's: named segments outlive process trees, and files outlive boots.
inline constexpr uint32_t kNamedLayoutVersion = 1;
inline constexpr uint32_t kRankMax = 16;

///   field               writer           rule
///   all                 creator, once    fixed before the segment has a name
///   checksum                             over both headers, `state` and itself left out
struct NamedHeader {
  uint32_t element_type;  // its number in src/memory/types.ts
  uint32_t element_bytes;
  uint32_t rank;  // 1 to kRankMax
  uint32_t reserved;
  uint64_t data_offset;  // kPage
  uint64_t data_bytes;   // element_bytes × all of shape
  uint64_t creator_start_time;
  uint64_t checksum;
  uint64_t shape[kRankMax];
};
struct NamedSegment {
  SegmentHeader segment;
  NamedHeader named;
};

/// What the creator knows of its segment.
struct NamedFacts {
  uint32_t kind;
  uint32_t element_type;
  uint32_t element_bytes;
  uint32_t rank;
  const uint64_t* shape;
  uint64_t id;
  uint32_t token_layout = 0;  // of segments that have tokens
};
enum class NamedCheck {
  ok,
  too_short,
  not_ours,
  other_version,
  other_kind,
  unready,
  damaged,
  truncated,
  other_libc
};

/// Bytes of data that a shape takes; 0 if a length is 0 or the product does not fit.
uint64_t named_data_bytes(const uint64_t* shape, uint32_t rank, uint32_t element_bytes);
/// Fills in everything but who the creator is. `state` is ready: the name is what publishes the segment.
void named_format(const NamedFacts& facts, NamedSegment* out);
void named_seal(NamedSegment* out);
/// Checks a private copy of the first bytes of a file of `file_size` bytes.
NamedCheck named_check(const NamedSegment& copy, uint64_t file_size, uint32_t kind);

// clang-format off
//        struct         field              offset  size
#define MP_NAMED_LAYOUT(PIN)                        \
  PIN(NamedHeader,   element_type,          0,     4) \
  PIN(NamedHeader,   element_bytes,         4,     4) \
  PIN(NamedHeader,   rank,                  8,     4) \
  PIN(NamedHeader,   data_offset,          16,     8) \
  PIN(NamedHeader,   data_bytes,           24,     8) \
  PIN(NamedHeader,   creator_start_time,   32,     8) \
  PIN(NamedHeader,   checksum,             40,     8) \
  PIN(NamedHeader,   shape,                48,   128)
// clang-format on
#define MP_PIN(type, field, at, bytes) \
  static_assert(offsetof(type, field) == (at) && sizeof(type::field) == (bytes), #type "." #field " moved");
MP_NAMED_LAYOUT(MP_PIN)
#undef MP_PIN
static_assert(sizeof(NamedHeader) == 176 && sizeof(NamedSegment) == 240 && sizeof(NamedSegment) <= kPage);

}  // namespace mp
