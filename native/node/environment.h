// What one JavaScript environment (main thread or worker thread) has of multiproc.
#pragma once

#include <node_api.h>

#include "core/arena.h"
#include "node/waiters.h"

namespace mp::node {

/// The mapping of the arena, one per process: threads share it, it is never unmapped.
Arena& process_arena();

/// Made when the addon is loaded, taken apart by its clean-up hook: waiter threads first (they act for `me`), then the
/// participant, whose locks become abandoned and whose references are given back.
struct Environment {
  OwnerId me = 0;
  Waiters waiters;
};

/// The environment of the thread that runs this call.
Environment& environment(napi_env env);

}  // namespace mp::node
