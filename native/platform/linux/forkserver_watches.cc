// The descriptors a forkserver looks at: two for each child, so hundreds, of which few have something to say.
#include <errno.h>
#include <sys/epoll.h>

#include "platform/linux/forkserver.h"

namespace mp::platform {
namespace {

/// What does not fit is reported by the next wait.
constexpr int kBatch = 64;

}  // namespace

Failure Watches::add(int fd) {
  if (epoll_ < 0) epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return {errno, "epoll_create1"};
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) return {errno, "epoll_ctl"};
  return {};
}

void Watches::remove(int fd) { epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); }

Failure Watches::wait(int timeout_ms, std::vector<int>* ready) {
  ready->clear();
  epoll_event events[kBatch];
  const int count = epoll_wait(epoll_, events, kBatch, timeout_ms);
  if (count < 0 && errno != EINTR) return {errno, "epoll_wait"};
  for (int i = 0; i < count; i++) ready->push_back(events[i].data.fd);
  return {};
}

}  // namespace mp::platform
