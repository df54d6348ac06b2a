// Tells an environment's loop that a descriptor has become readable: a doorbell that rings, a process that has ended.
#pragma once

#include <uv.h>

namespace mp::node {

/// Lives until the call that close() promises. All of it is called on the loop's thread.
class Watch {
 public:
  using Call = void (*)(void* data);

  Watch() = default;
  Watch(const Watch&) = delete;

  /// `once`: what has become readable stays so. 0, or libuv's error; then it is as if it had never been opened.
  int open(uv_loop_t* loop, int fd, bool once, Call readable, void* data);
  bool is_open() const { return open_; }
  /// No more calls of `readable`.
  void stop();
  /// The same for good; `closed` is called when this may go. The descriptor may be closed at once.
  void close(Call closed);
  void keep_loop(bool yes);

 private:
  uv_handle_t* handle() { return &handle_.any; }
  bool open_ = false;
  Call readable_ = nullptr, closed_ = nullptr;
  void* data_ = nullptr;
  void* listening_ = nullptr;  // where loops do not poll
  union {
    uv_handle_t any;
    uv_poll_t poll;
    uv_async_t async;
  } handle_;
};

}  // namespace mp::node
