// The natural end of an environment whose process was forked.
//
// Node, when an event loop has nothing left to do, waits for V8's worker threads to finish their tasks. A forked process
// has no such threads, but V8 may have posted tasks for them (Node 20 does, even with --single-threaded): it would wait
// for ever. So the loop never looks empty to Node: a timer keeps it, and before each poll we ask whether anything else is
// alive. If not, some turns without waiting run what V8 has posted to this thread; then JavaScript is told.
#pragma once

#include <node_api.h>
#include <uv.h>

namespace mp::node {

/// Calls dry(false), and dry(true) unless that made work, whenever the loop of this environment has run empty.
void watch_dry(napi_env env, napi_value dry);
/// Whether it is the timer that keeps a loop.
bool is_dry_keeper(const uv_timer_t* timer);
/// Marks this process as a forked one: environments of threads that load the addon from now on end by themselves.
void become_forked();
/// What such a thread does when the addon is loaded into it.
void watch_dry_in_worker(napi_env env);

}  // namespace mp::node
