// What one environment has for messages: two buffers that JavaScript and the ring's code share, and its open queues.
#pragma once

#include <node_api.h>

#include <vector>

#include "core/queue.h"
#include "node/environment.h"
#include "node/heap.h"

namespace mp::node {

inline constexpr uint32_t kMessageBytes = kRecordUnitsMax * kUnit;

/// An open queue or pipe.
struct OpenRing {
  uint32_t index = 0;              // of the queue's monitor, or the pipe's block; 0: closed
  unsigned char* bytes = nullptr;  // of its block
  HeapPart part;
};

struct Messages {
  Environment* environment;
  unsigned char* out = nullptr;  // the records to be put
  unsigned char* in = nullptr;   // those that were got
  napi_ref buffers[2] = {};
  std::vector<OpenRing> rings;

  QueueDesk desk(uint32_t id) const {
    const OpenRing& ring = rings[id];
    const Arena& arena = process_arena();
    return {arena, ring.index, reinterpret_cast<QueueMonitor&>(arena.slot(ring.index)),
            *reinterpret_cast<QueueBlock*>(ring.bytes), environment->me};
  }
};

void init_pipe(napi_env env, napi_value exports, Messages* messages);

}  // namespace mp::node
