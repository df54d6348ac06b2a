#include "platform/win32/sections.h"

#include <string.h>

namespace mp::platform {
namespace {

constexpr uint32_t kMappingMax = 65536, kFrontMax = 256;

SRWLOCK mappings_lock = SRWLOCK_INIT;
Mapping mappings[kMappingMax];  // by address, under the lock
uint32_t mapping_count = 0;

SRWLOCK fronts_lock = SRWLOCK_INIT;
Front* fronts[kFrontMax];  // of every section this process ever saw; there is one per process tree
uint32_t front_count = 0;

/// The first mapping above `address`.
uint32_t place_above(const void* address) {
  uint32_t low = 0, high = mapping_count;
  while (low < high) {
    const uint32_t middle = (low + high) / 2;
    if (static_cast<const void*>(mappings[middle].base) > address)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

Front* known_front(uint64_t id) {
  for (uint32_t i = 0; i < front_count; i++)
    if (fronts[i]->id == id) return fronts[i];
  return nullptr;
}

}  // namespace

Front* front_of(HANDLE section) {
  void* view = MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, kFrontBytes);
  if (view == nullptr) return nullptr;
  // Somebody else's section may have no pages there; on Wine one of ours has none in a new view.
  auto* front = static_cast<Front*>(view);
  const bool readable = VirtualAlloc(view, sizeof(Front), MEM_COMMIT, PAGE_READWRITE) != nullptr;
  if (!readable || front->magic != kFrontMagic) {
    UnmapViewOfFile(view);
    return nullptr;
  }
  const Guard guard(&fronts_lock);
  if (Front* known = known_front(front->id)) {
    UnmapViewOfFile(view);
    return known;
  }
  if (front_count == kFrontMax) {
    UnmapViewOfFile(view);
    return nullptr;
  }
  return fronts[front_count++] = front;
}

Failure section_read(HANDLE section, void* bytes, size_t size, size_t offset) {
  void* base;
  if (Failure f = memory_map_part(number_of(section), 0, offset + size, &base)) return f;
  memcpy(bytes, static_cast<unsigned char*>(base) + offset, size);
  memory_unmap(base, offset + size);
  return {};
}

bool mapping_add(const Mapping& mapping) {
  const Guard guard(&mappings_lock);
  if (mapping_count == kMappingMax) return false;
  const uint32_t at = place_above(mapping.base);
  memmove(mappings + at + 1, mappings + at, (mapping_count - at) * sizeof *mappings);
  mappings[at] = mapping;
  mapping_count++;
  return true;
}

void mapping_remove(const void* base) {
  const Guard guard(&mappings_lock);
  const uint32_t above = place_above(base);
  if (above == 0 || mappings[above - 1].base != base) return;
  memmove(mappings + above - 1, mappings + above, (mapping_count - above) * sizeof *mappings);
  mapping_count--;
}

bool mapping_find(const void* address, Mapping* out) {
  AcquireSRWLockShared(&mappings_lock);
  const uint32_t above = place_above(address);
  const bool found = above > 0 && static_cast<const unsigned char*>(address) <
                                      mappings[above - 1].base + mappings[above - 1].size;
  if (found) *out = mappings[above - 1];
  ReleaseSRWLockShared(&mappings_lock);
  return found;
}

}  // namespace mp::platform
