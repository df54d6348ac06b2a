// Sockets for TypeScript: thin calls that never wait, one that does, and watches on the event loop.
#include "node/sockets.h"

#include "node/args.h"
#include "node/texts.h"

namespace mp::node {

using platform::Failure;

void Sockets::set_dispatch(napi_value function) {
  if (dispatch_ != nullptr) napi_delete_reference(env_, dispatch_);
  napi_create_reference(env_, function, 1, &dispatch_);
  if (context_ == nullptr) napi_async_init(env_, nullptr, string(env_, "multiproc.Connection"), &context_);
}

Socket* Sockets::add(int fd) {
  auto* socket = new Socket{this, fd};
  socket->creator = platform::process_id();
  return sockets_[fd] = socket;
}

Socket* Sockets::find(int fd) {
  const auto found = sockets_.find(fd);
  return found == sockets_.end() ? nullptr : found->second;
}

Failure Sockets::watch(Socket* socket, int events) {
  int code = 0;
  if (!socket->is_watched) {
    if (events == 0) return {};
    if ((code = uv_poll_init(loop_, &socket->watch, socket->fd)) != 0) return {-code, "epoll_ctl"};
    socket->watch.data = socket;
    socket->is_watched = true;
  }
  code = events == 0 ? uv_poll_stop(&socket->watch) : uv_poll_start(&socket->watch, events, on_event);
  return code == 0 ? Failure{} : Failure{-code, "epoll_ctl"};
}

void Sockets::close(Socket* socket) {
  sockets_.erase(socket->fd);
  const int fd = socket->fd;
  if (!socket->path.empty() && socket->creator == platform::process_id()) {
    platform::named_unlink({socket->path.c_str(), true}, &socket->file);
    if (!socket->directory.empty()) platform::directory_remove(socket->directory.c_str());
  }
  if (socket->is_watched) {
    ++closing_;
    uv_close(reinterpret_cast<uv_handle_t*>(&socket->watch), on_closed);  // takes it out of the poll set now
  } else {
    delete socket;
  }
  platform::close_fd(fd);
}

void Sockets::on_closed(uv_handle_t* handle) {
  auto* socket = static_cast<Socket*>(handle->data);
  Sockets* owner = socket->owner;
  delete socket;
  --owner->closing_;
  owner->finish_if_done();
}

void Sockets::on_event(uv_poll_t* watch, int status, int) {
  // With an error libuv has stopped the watch. What it was is told by whatever is tried next.
  auto* socket = static_cast<Socket*>(watch->data);
  socket->owner->dispatch(socket->fd, status < 0);
}

void Sockets::dispatch(int fd, bool stopped) {
  napi_handle_scope scope;
  napi_open_handle_scope(env_, &scope);
  napi_value function, global, result;
  if (dispatch_ != nullptr && napi_get_reference_value(env_, dispatch_, &function) == napi_ok) {
    napi_get_global(env_, &global);
    napi_value args[] = {int32(env_, fd), boolean(env_, stopped)};
    if (napi_make_callback(env_, context_, global, function, 2, args, &result) == napi_pending_exception) {
      napi_value error;
      if (napi_get_and_clear_last_exception(env_, &error) == napi_ok) napi_fatal_exception(env_, error);
    }
  }
  napi_close_handle_scope(env_, scope);
}

void Sockets::on_environment_end(napi_async_cleanup_hook_handle hook, void* data) {
  auto* self = static_cast<Sockets*>(data);
  self->ending_ = hook;
  self->dispatch_ = nullptr;  // JavaScript is over
  while (!self->sockets_.empty()) self->close(self->sockets_.begin()->second);
  self->finish_if_done();
}

void Sockets::finish_if_done() {
  if (ending_ == nullptr || closing_ > 0) return;
  napi_remove_async_cleanup_hook(ending_);
  delete this;
}

namespace {

Sockets* sockets_of(void* data) { return static_cast<Sockets*>(data); }

/// A place as TypeScript gives it: (name as bytes with a NUL behind them, port).
struct PlaceArg {
  std::string name;
  int port;
  PlaceArg(napi_env env, napi_value name_value, napi_value port_value)
      : name(to_text(env, name_value)), port(to_int32(env, port_value)) {}
  platform::SocketPlace get() const { return {name.data(), name.size(), port}; }
};

/// [name, port] of a socket; port -1: a path, a name without a file, or nothing at all.
napi_value name_value(napi_env env, const platform::SocketName& name) {
  napi_value list, text;
  napi_create_array_with_length(env, 2, &list);
  napi_create_string_utf8(env, name.name, name.name_size, &text);
  napi_set_element(env, list, 0, text);
  napi_set_element(env, list, 1, int32(env, name.port));
  return list;
}

napi_value dispatch(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  sockets_of(args.data)->set_dispatch(args[0]);
  return nullptr;
}

/// socketListen(name, port, backlog, directory): fd.
napi_value listen(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  const PlaceArg place(env, args[0], args[1]);
  int fd = -1;
  platform::FileFacts file;
  if (Failure f = platform::socket_listen(place.get(), to_int32(env, args[2]), &fd, &file))
    return throw_failure(env, f);
  Socket* socket = sockets_of(args.data)->add(fd);
  if (file.inode != 0) {
    socket->path = place.name;
    socket->file = file;
    socket->directory = to_text(env, args[3]);
  }
  return int32(env, fd);
}

/// socketAbandoned(name): whether nobody listens any more at the socket file of that name.
napi_value abandoned(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  const std::string name = to_text(env, args[0]);
  return boolean(env, platform::socket_abandoned({name.data(), name.size(), -1}));
}

/// socketAccept(listener): fd, or -1.
napi_value accept(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  int fd = -1;
  if (Failure f = platform::socket_accept(to_int32(env, args[0]), &fd)) return throw_failure(env, f);
  if (fd >= 0) sockets_of(args.data)->add(fd);
  return int32(env, fd);
}

/// socketConnect(name, port): fd, not connected yet.
napi_value connect(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  const PlaceArg place(env, args[0], args[1]);
  int fd = -1;
  if (Failure f = platform::socket_connect(place.get(), &fd)) return throw_failure(env, f);
  sockets_of(args.data)->add(fd);
  return int32(env, fd);
}

napi_value connected(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  bool yes = false;
  if (Failure f = platform::socket_connected(to_int32(env, args[0]), &yes)) return throw_failure(env, f);
  return boolean(env, yes);
}

/// socketName(fd, ofPeer): [name, port].
napi_value name(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  platform::SocketName name;
  const int fd = to_int32(env, args[0]);
  if (Failure f =
          to_bool(env, args[1]) ? platform::socket_peer_name(fd, &name) : platform::socket_name(fd, &name))
    return throw_failure(env, f);
  return name_value(env, name);
}

/// What lies in a Uint8Array from an offset on.
struct Part {
  char* data;
  size_t size;
  Part(napi_env env, napi_value array, napi_value offset) {
    void* start = nullptr;
    size_t all = 0;
    napi_get_buffer_info(env, array, &start, &all);
    const auto from = static_cast<size_t>(to_int64(env, offset));
    data = static_cast<char*>(start) + (from < all ? from : all);
    size = from < all ? all - from : 0;
  }
};

/// socketReceive(fd, into, offset): how many bytes; 0 at the end, -1 if there are none now.
napi_value receive(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  const Part part(env, args[1], args[2]);
  int64_t count = 0;
  if (Failure f = platform::socket_receive(to_int32(env, args[0]), part.data, part.size, &count))
    return throw_failure(env, f);
  return number(env, static_cast<double>(count));
}

/// socketSend(fd, bytes, offset): how many bytes were taken; -1 if there is no room now.
napi_value send(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  const Part part(env, args[1], args[2]);
  int64_t count = 0;
  if (Failure f = platform::socket_send(to_int32(env, args[0]), part.data, part.size, &count))
    return throw_failure(env, f);
  return number(env, static_cast<double>(count));
}

/// A terminated worker thread is waited for, and nothing tells a blocked one of its end: it looks.
constexpr int64_t kLookForEndNs = 250'000'000;

/// socketWait(fd, toSend, timeoutMs): a SocketWait.
napi_value wait(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  const int fd = to_int32(env, args[0]);
  const bool to_send = to_bool(env, args[1]);
  const double timeout_ms = to_double(env, args[2]);
  platform::interrupt_watch();
  const platform::Word* word = platform::interrupt_word();
  const uint32_t before = word->load(std::memory_order_acquire);
  const int64_t deadline =
      timeout_ms > 1e12 ? INT64_MAX : platform::monotonic_now() + static_cast<int64_t>(timeout_ms * 1e6);
  for (;;) {
    const int64_t look_again = platform::monotonic_now() + kLookForEndNs;
    const int64_t wake_at = look_again < deadline ? look_again : deadline;
    auto end = platform::socket_wait(fd, to_send, wake_at, word, before);
    if (end == platform::SocketWait::timed_out && wake_at < deadline) {
      if (!environment_ending(env)) continue;
      end = platform::SocketWait::interrupted;
    }
    return uint32(env, static_cast<uint32_t>(end));
  }
}

/// socketWatch(fd, events)
napi_value watch(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  Sockets* all = sockets_of(args.data);
  if (Socket* socket = all->find(to_int32(env, args[0])))
    if (Failure f = all->watch(socket, to_int32(env, args[1]))) return throw_failure(env, f);
  return nullptr;
}

napi_value end(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  platform::socket_end(to_int32(env, args[0]));
  return nullptr;
}

napi_value close(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Sockets* all = sockets_of(args.data);
  if (Socket* socket = all->find(to_int32(env, args[0]))) all->close(socket);
  return nullptr;
}

}  // namespace

void init_sockets(napi_env env, napi_value exports) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  auto* sockets = new Sockets(env, loop);
  napi_add_async_cleanup_hook(env, Sockets::on_environment_end, sockets, nullptr);

  add_function(env, exports, "socketDispatch", dispatch, sockets);
  add_function(env, exports, "socketListen", listen, sockets);
  add_function(env, exports, "socketAbandoned", abandoned);
  add_function(env, exports, "socketAccept", accept, sockets);
  add_function(env, exports, "socketConnect", connect, sockets);
  add_function(env, exports, "socketConnected", connected);
  add_function(env, exports, "socketName", name);
  add_function(env, exports, "socketReceive", receive);
  add_function(env, exports, "socketSend", send);
  add_function(env, exports, "socketWait", wait);
  add_function(env, exports, "socketWatch", watch, sockets);
  add_function(env, exports, "socketEnd", end);
  add_function(env, exports, "socketClose", close, sockets);
}

}  // namespace mp::node
