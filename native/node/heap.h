// Where the arena's heap is in this process.
#pragma once

#include "platform/platform.h"

namespace mp::node {

/// The bytes of an extent. `alone` is a mapping of their own, null if they lie in one of the windows.
struct HeapPart {
  unsigned char* at = nullptr;
  void* alone = nullptr;
  size_t alone_bytes = 0;
};

/// Finds bytes of the heap, mapping what is needed. `fresh`: at an address where nothing of the heap has been yet.
platform::Failure heap_map(uint64_t extent, uint64_t bytes, bool fresh, HeapPart* out);
/// Unmaps what only this part has.
void heap_unmap(const HeapPart& part);

}  // namespace mp::node
