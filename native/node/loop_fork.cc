// libuv's own uv_loop_fork() takes all watches along. They must go before it does, and without a system call: the parent
// and the child share the kernel's side of the loop until then. So this works on the loop's public structure.
#include "node/loop_fork.h"

#ifdef __linux__
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <vector>

#include "node/dry.h"

namespace mp::node {
namespace {

/// Node's own, which JavaScript stops.
std::vector<const uv_handle_t*> node_timers;
/// Connections of the parent's, and what stands in their place.
std::vector<uv_handle_t*> severed;
int dead = -1;
bool stopped_timers = false;

#ifndef __linux__
void forget_watchers(uv_loop_t*) {}  // nothing is forked
void sever(uv_stream_t*) {}
void close_dead_end() {}
void forget_sends(uv_udp_t*) {}
#else
constexpr int kStreams = 3;

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

/// A stream whose other side has gone; -1 if there are no descriptors left.
int dead_end() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -1;
  close(ends[0]);
  return ends[1];
}

/// What is written there would come among what the parent writes, and while it is open here the other side would not see
/// the parent close it. Sockets that listen, or are only bound, may be of use here.
void sever(uv_stream_t* stream) {
  const bool connected = uv_is_readable(stream) || uv_is_writable(stream) || stream->connect_req != nullptr;
  // Nobody here works on its requests, and closing it must not count them as done.
  make_empty(&stream->write_queue);
  make_empty(&stream->write_completed_queue);
  stream->write_queue_size = 0;
  stream->connect_req = nullptr;
  stream->shutdown_req = nullptr;
  const int fd = stream->io_watcher.fd;
  if (!connected || fd < kStreams || stream->type == UV_TTY) return;
  if (dead < 0) dead = dead_end();
  if (dead < 0 || dup3(dead, fd, O_CLOEXEC) < 0) _exit(127);
  severed.push_back(reinterpret_cast<uv_handle_t*>(stream));
}

void close_dead_end() {
  if (dead >= 0) close(dead);
  dead = -1;
}

void forget_sends(uv_udp_t* socket) {
  make_empty(&socket->write_queue);
  make_empty(&socket->write_completed_queue);
  socket->send_queue_size = socket->send_queue_count = 0;
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
      sever(reinterpret_cast<uv_stream_t*>(handle));
      break;
    case UV_UDP:
      uv_udp_recv_stop(reinterpret_cast<uv_udp_t*>(handle));
      forget_sends(reinterpret_cast<uv_udp_t*>(handle));
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
    case UV_TIMER:
      if (std::find(node_timers.begin(), node_timers.end(), handle) != node_timers.end()) return;
      if (is_dry_keeper(reinterpret_cast<uv_timer_t*>(handle))) return;
      if (!uv_is_active(handle)) return;
      stopped_timers = true;
      uv_timer_stop(reinterpret_cast<uv_timer_t*>(handle));
      break;
    case UV_ASYNC:  // message ports, functions that addons call from their threads
    case UV_SIGNAL:
    case UV_PROCESS:
      break;
    default:
      return;  // Node's own machinery
  }
  // A server still listens, as far as libuv knows, and a port has its listener.
  if (uv_is_active(handle)) uv_unref(handle);
}

}  // namespace

void loop_note_timers(uv_loop_t* loop) {
  const auto note = [](uv_handle_t* handle, void*) {
    if (handle->type == UV_TIMER) node_timers.push_back(handle);
  };
  uv_walk(loop, note, nullptr);
}

void loop_with_severed(const std::function<void(bool)>& call) {
  for (uv_handle_t* handle : severed) uv_ref(handle);
  call(stopped_timers);
  for (uv_handle_t* handle : severed) uv_unref(handle);
  severed.clear();
}

void loop_before_fork(uv_loop_t* loop) { uv_mutex_lock(&loop->wq_mutex); }

void loop_in_parent(uv_loop_t* loop) { uv_mutex_unlock(&loop->wq_mutex); }

int loop_in_child(uv_loop_t* loop) {
  uv_mutex_unlock(&loop->wq_mutex);
  forget_watchers(loop);
  if (const int failed = uv_loop_fork(loop)) return failed;
  severed.clear();
  stopped_timers = false;
  uv_walk(loop, quieten, nullptr);
  close_dead_end();
  return 0;
}

}  // namespace mp::node
