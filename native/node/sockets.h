// The sockets one JavaScript environment has open, and the watches that tell its event loop about them.
#pragma once

#include <node_api.h>
#include <uv.h>

#include <cstdint>
#include <string>
#include <unordered_map>

#include "platform/platform.h"

namespace mp::node {

class Sockets;

/// One socket.
///
///   fd       ours until close(); TypeScript names the socket by it
///   watch    polls it; active, and keeping the loop alive, only while something waits
///   path     of a listener: the file that bears its name, and (file) what tells it from another one there later
///   directory  '' or the one that was made for that file alone
///   creator  the process that made it. A forked child has the descriptor, but the file is not its to remove
struct Socket {
  Sockets* owner;
  int fd;
  bool is_watched = false;
  uv_poll_t watch;
  std::string path, directory;
  platform::FileFacts file;
  uint32_t creator;
};

/// Per environment. Events go to one JavaScript function: dispatch(fd, stopped). Lives until the environment's cleanup hook has seen
/// the last watch closed.
class Sockets {
 public:
  Sockets(napi_env env, uv_loop_t* loop) : env_(env), loop_(loop) {}
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;

  void set_dispatch(napi_value function);
  Socket* add(int fd);
  Socket* find(int fd);
  /// Has the socket's events (libuv's UV_READABLE and UV_WRITABLE) told from now on; 0: none.
  platform::Failure watch(Socket* socket, int events);
  /// Closes it, and removes the file with its name if that is still this very one.
  void close(Socket* socket);

  static void on_environment_end(napi_async_cleanup_hook_handle hook, void* data);

 private:
  void dispatch(int fd, bool stopped);
  void finish_if_done();
  static void on_event(uv_poll_t* watch, int status, int events);
  static void on_closed(uv_handle_t* handle);

  napi_env env_;
  uv_loop_t* loop_;
  napi_ref dispatch_ = nullptr;
  napi_async_context context_ = nullptr;
  std::unordered_map<int, Socket*> sockets_;
  uint32_t closing_ = 0;  // watches that libuv has not let go of yet
  napi_async_cleanup_hook_handle ending_ = nullptr;
};

}  // namespace mp::node
