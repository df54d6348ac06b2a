// An event loop after a fork: its parent's handles stay, but nothing is heard of them.
#pragma once

#include <uv.h>

namespace mp::node {

/// Keeps the threads of libuv's pool from being in the middle of handing something over while the process forks.
void loop_before_fork(uv_loop_t* loop);
void loop_in_parent(uv_loop_t* loop);
/// Makes the loop the child's own. What its parent waits for, files, sockets, timers of libuv's users, is not waited for
/// here: descriptors stay open, and who reads or listens again gets events again. 0, or libuv's error.
int loop_in_child(uv_loop_t* loop);

}  // namespace mp::node
