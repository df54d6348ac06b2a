// Sections of ours: what lies in front of a segment's bytes, and where segments are mapped in this process.
//
//   0        Front: what the section is, and how many sleep on its words
//   64 KiB   the segment's bytes
//
// Callers see the bytes only: offsets of theirs are offsets behind the front. A section's pages are reserved, not committed;
// what nobody has reserved (memory_reserve) is committed, as zeros, when it is first touched: see memory.cc.
#pragma once

#include "platform/win32/win32.h"

namespace mp::platform {

inline constexpr uint64_t kFrontMagic = 0x6e6f697463657350;
inline constexpr size_t kFrontBytes = 65536;  // where views may begin
inline constexpr uint32_t kBeds = 4096;

///   field          writer           rule
///   all but beds   creator, once    before anybody else has the section
///   beds           who sleeps       see parking.cc
struct Front {
  uint64_t magic;
  uint64_t id;    // random: names the section's words for everybody who has it
  uint64_t size;  // of the bytes behind the front
  char label[40];
  Word beds[kBeds];
};
static_assert(sizeof(Front) <= kFrontBytes);

/// The front of a section of ours, mapped once per process and kept; null: it is none. (Not asked by GetFileType: Wine takes
/// sections for files.)
Front* front_of(HANDLE section);
Failure section_read(HANDLE section, void* bytes, size_t size, size_t offset);

/// A view of a section. Its front is mapped as long as this process lives.
struct Mapping {
  unsigned char* base;
  size_t size;
  size_t offset;  // behind the front
  Front* front;
};
/// False: too many.
bool mapping_add(const Mapping& mapping);
void mapping_remove(const void* base);
/// False: the address is in no view of ours.
bool mapping_find(const void* address, Mapping* out);

}  // namespace mp::platform
