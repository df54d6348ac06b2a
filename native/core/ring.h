// A ring: messages one after the other in a power of two of bytes, each a record in one piece.
//
//   Record   length | meta | payload, rounded up to 8 bytes | references, 8 bytes each
//
// Where the rest of the ring is too short for a record lies a marker (kWrap) and nothing more; the record begins at the start.
// `head` and `tail` count units of 8 bytes from the beginning of time and wrap at 2^32: what lies at unit u is at byte
// u * 8 % capacity.
//
// R1  From head to tail there are whole records. A writer fills in a record behind the tail, then moves the tail, by one
//     store: one that dies before leaves no trace. A reader moves the head by one store when it has its copy.
// R2  The bytes come from processes of the same tree, any of which may have run wild: whatever follows from them is checked
//     against the capacity before it is used.
//
// References name what a message needs alive (keepers.h): first the parcel that has the payload, if it is too large for the
// ring (kInParcel), then one for each large array, then the shared objects.
#pragma once

#include <bit>

#include "core/arena.h"

namespace mp {

inline constexpr uint32_t kUnit = 8;

///   meta   bit 0  kWrap      bit 1  kRawBytes: not the codec's     bit 2  kInParcel: the payload is the first reference's
///          bit 3  kHandles: a part of the payload says which shared objects these are (src/message/record.ts)
///          bits 4..17  how many large arrays      bits 18..31  how many references to shared objects
struct Record {
  uint32_t length;  // of the payload, wherever that is
  uint32_t meta;
};
static_assert(sizeof(Record) == kUnit);
inline constexpr uint32_t kWrap = 1, kRawBytes = 2, kInParcel = 4, kHandles = 8;

constexpr uint32_t units_of(uint64_t bytes) { return static_cast<uint32_t>((bytes + kUnit - 1) / kUnit); }
constexpr uint32_t blocks_in(uint32_t meta) { return (meta & kInParcel ? 1 : 0) + (meta >> 4 & 0x3fff); }
constexpr uint32_t references_in(uint32_t meta) { return blocks_in(meta) + (meta >> 18); }
constexpr uint32_t payload_units(const Record& r) { return r.meta & kInParcel ? 0 : units_of(r.length); }
/// How long a record is.
constexpr uint64_t record_units(const Record& r) {
  return 1 + uint64_t{payload_units(r)} + references_in(r.meta);
}

/// The object that a reference names.
struct Reference {
  uint32_t index;
  uint32_t header;  // generation and kind, as in the low half of Slot::header
};
static_assert(sizeof(Reference) == kUnit);

struct Ring {
  unsigned char* bytes;
  uint32_t units;  // a power of two

  unsigned char* at(uint32_t unit) const { return bytes + uint64_t{unit & (units - 1)} * kUnit; }
  // Read once: others may overwrite it meanwhile (R2, I4 of pipe.h). acquire: the look at the head that tells comes after it.
  Record record_at(uint32_t unit) const { return read<Record>(unit); }
  Reference reference_at(uint32_t unit) const { return read<Reference>(unit); }
  /// From `unit` to the end of the ring's memory.
  uint32_t contiguous(uint32_t unit) const { return units - (unit & (units - 1)); }

 private:
  template <class T>
  T read(uint32_t unit) const {
    return std::bit_cast<T>(
        reinterpret_cast<const std::atomic<uint64_t>*>(at(unit))->load(std::memory_order_acquire));
  }
};

/// Where the record at `head` begins, behind a marker if there is one. False: that is no ring (R2).
bool ring_front(const Ring& ring, uint32_t head, uint32_t tail, uint32_t* at, Record* record);
/// How far the tail moves for a record of so many units: what is skipped at the end included. 0: there is no room now.
uint32_t ring_room(const Ring& ring, uint32_t head, uint32_t tail, uint32_t units);
/// Writes a record of so many units behind the tail; ring_room has said `room`.
void ring_write(const Ring& ring, uint32_t tail, uint32_t room, const void* record, uint32_t units);
/// A record's references: the unit where they begin, and they themselves.
inline uint32_t references_at(uint32_t at, const Record& record) { return at + 1 + payload_units(record); }
inline const Reference* ring_references(const Ring& ring, uint32_t at, const Record& record) {
  return reinterpret_cast<const Reference*>(ring.at(references_at(at, record)));
}

/// Calls f(at, record) for each record; false if that is no ring.
template <class F>
bool each_record(const Ring& ring, uint32_t head, uint32_t tail, F f) {
  while (head != tail) {
    uint32_t at;
    Record record;
    if (!ring_front(ring, head, tail, &at, &record)) return false;
    f(at, record);
    head = at + static_cast<uint32_t>(record_units(record));
  }
  return true;
}

}  // namespace mp
