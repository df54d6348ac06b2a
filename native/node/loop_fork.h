// An event loop after a fork: its parent's handles stay, but nothing is heard of them.
#pragma once

#include <uv.h>

#include <functional>

namespace mp::node {

/// Keeps the threads of libuv's pool from being in the middle of handing something over while the process forks.
void loop_before_fork(uv_loop_t* loop);
void loop_in_parent(uv_loop_t* loop);
/// Makes the loop the child's own. What its parent waits for, files, sockets, ports, timers of libuv's users, is not waited
/// for here. Connections are closed as the peer sees it (a write is EPIPE, a read the end); other descriptors stay open,
/// and who listens again gets events again. 0, or libuv's error.
int loop_in_child(uv_loop_t* loop);
/// Once in a child: calls back while the loop counts the connections among its active handles. `stopped`: timers were
/// stopped, too.
void loop_with_severed(const std::function<void(bool stopped)>& call);

/// Before anything of the program's runs: the timers there are now are Node's.
void loop_note_timers(uv_loop_t* loop);

}  // namespace mp::node
