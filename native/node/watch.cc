#include "node/watch.h"

#include "platform/platform.h"

namespace mp::node {

int Watch::open(uv_loop_t* loop, int fd, bool once, Call readable, void* data) {
  readable_ = readable;
  data_ = data;
  int code;
  if constexpr (platform::kLoopsPoll) {
    if ((code = uv_poll_init(loop, &handle_.poll, fd)) != 0) return code;
    handle_.any.data = this;
    open_ = true;
    return uv_poll_start(&handle_.poll, UV_READABLE, [](uv_poll_t* poll, int, int) {
      auto* self = static_cast<Watch*>(poll->data);
      self->readable_(self->data_);
    });
  } else {
    code = uv_async_init(loop, &handle_.async, [](uv_async_t* async) {
      auto* self = static_cast<Watch*>(async->data);
      // What was sent before it was stopped may come yet.
      if (self->listening_ != nullptr) self->readable_(self->data_);
    });
    if (code != 0) return code;
    handle_.any.data = this;
    open_ = true;
    const auto failed = platform::listen_start(
        fd, once, [](void* self) { uv_async_send(&static_cast<Watch*>(self)->handle_.async); }, this,
        &listening_);
    return failed ? UV_ENOMEM : 0;
  }
}

void Watch::stop() {
  if constexpr (platform::kLoopsPoll) {
    uv_poll_stop(&handle_.poll);
  } else if (listening_ != nullptr) {
    platform::listen_stop(listening_);
    listening_ = nullptr;
  }
}

void Watch::close(Call closed) {
  if (!open_) return;
  open_ = false;
  closed_ = closed;
  if constexpr (!platform::kLoopsPoll) stop();
  uv_close(handle(), [](uv_handle_t* handle) {
    auto* self = static_cast<Watch*>(handle->data);
    self->closed_(self->data_);
  });
}

void Watch::keep_loop(bool yes) {
  if (yes)
    uv_ref(handle());
  else
    uv_unref(handle());
}

}  // namespace mp::node
