// What one JavaScript environment (main thread or worker thread) has of multiproc.
#pragma once

#include <node_api.h>

#include "core/arena.h"
#include "core/participants.h"
#include "node/named_locks.h"
#include "node/waiters.h"

namespace mp::node {

/// The mapping of the arena, one per process: threads share it, it is never unmapped.
Arena& process_arena();

/// Made when the addon is loaded, taken apart by its clean-up hook: waiter threads first (they act for `me`), then the
/// participants, whose locks become abandoned and whose references are given back.
struct Environment {
  OwnerId me = 0;
  NamedLocks named_locks;
  Waiters waiters;
};

/// The environment of the thread that runs this call.
Environment& environment(napi_env env);

/// Who the calling thread is, to those who share memory with it.
Identity this_identity(uint32_t environment);
/// Gives a participant of this process the process's name.
void name_participant(const Arena& arena, OwnerId me);
/// { pid, environment, name } of a participant, or null if it is no more. The pid is NaN where it means nothing here.
napi_value participant_value(napi_env env, const Arena& arena, OwnerId owner);
/// The same of whoever alive holds the lock.
napi_value owner_of_lock(napi_env env, const Arena& arena, const Slot& slot);
/// { owner, mine, low, high }: who has a seat, and the halves of its hold.
napi_value seat_value(napi_env env, const Arena& arena, OwnerId owner, uint64_t hold, bool mine);
/// [waiting, field 0 … 5, detail]: a glance, not a snapshot.
napi_value monitor_fields_value(napi_env env, const Monitor& monitor);

}  // namespace mp::node
