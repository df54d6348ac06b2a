// libuv's own uv_loop_fork() takes all watches along. They must go before it does, and without a system call: the parent
// and the child share the kernel's side of the loop until then. So this works on the loop's public structure.
#include "node/loop_fork.h"

namespace mp::node {
namespace {

#ifndef __linux__
void forget_watchers(uv_loop_t*) {}  // nothing is forked
#else
void make_empty(uv__queue* queue) { queue->next = queue->prev = queue; }

void unlink(uv__queue* entry) {
  entry->prev->next = entry->next;
  entry->next->prev = entry->prev;
  make_empty(entry);
}

void forget_watchers(uv_loop_t* loop) {
  for (unsigned int fd = 0; fd < loop->nwatchers; fd++) {
    uv__io_t* w = loop->watchers[fd];
    // libuv's own, which it renews.
    if (w == nullptr || w == &loop->async_io_watcher || w == &loop->signal_io_watcher) continue;
    if (w == &loop->inotify_read_watcher) continue;
    unlink(&w->watcher_queue);
    unlink(&w->pending_queue);
    w->pevents = w->events = 0;
    loop->watchers[fd] = nullptr;
    loop->nfds--;
  }
  make_empty(&loop->pending_queue);
  loop->closing_handles = nullptr;
  // Requests under way are the parent's: nobody here works on them.
  loop->active_reqs.count = 0;
  make_empty(&loop->wq);
}
#endif

/// Now it is the child's alone: handles may be told so themselves.
void quieten(uv_handle_t* handle, void*) {
  if (uv_is_closing(handle)) return;
  switch (handle->type) {
    case UV_TCP:
    case UV_NAMED_PIPE:
    case UV_TTY:
      uv_read_stop(reinterpret_cast<uv_stream_t*>(handle));
      break;
    case UV_UDP:
      uv_udp_recv_stop(reinterpret_cast<uv_udp_t*>(handle));
      break;
    case UV_POLL:
      uv_poll_stop(reinterpret_cast<uv_poll_t*>(handle));
      break;
    case UV_FS_EVENT:
      uv_fs_event_stop(reinterpret_cast<uv_fs_event_t*>(handle));
      break;
    case UV_FS_POLL:
      uv_fs_poll_stop(reinterpret_cast<uv_fs_poll_t*>(handle));
      break;
    case UV_SIGNAL:
    case UV_PROCESS:
      break;
    default:
      return;  // Node's own machinery
  }
  // A server still listens, as far as libuv knows.
  if (uv_is_active(handle)) uv_unref(handle);
}

}  // namespace

void loop_before_fork(uv_loop_t* loop) { uv_mutex_lock(&loop->wq_mutex); }

void loop_in_parent(uv_loop_t* loop) { uv_mutex_unlock(&loop->wq_mutex); }

int loop_in_child(uv_loop_t* loop) {
  uv_mutex_unlock(&loop->wq_mutex);
  forget_watchers(loop);
  if (const int failed = uv_loop_fork(loop)) return failed;
  uv_walk(loop, quieten, nullptr);
  return 0;
}

}  // namespace mp::node
