#include "platform/linux/life_line.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

#include "platform/platform.h"

namespace mp::platform {
namespace {

/// Whose it is: a forked process needs its own.
std::atomic<pid_t> owner{0};
std::atomic<int> read_end{-1}, write_end{-1};

}  // namespace

Failure process_ending(int* life_line) {
  static std::mutex mutex;
  const std::lock_guard guard(mutex);
  if (owner.load(std::memory_order_acquire) != getpid()) {
    int read = -1, write = -1;
    if (Failure f = pipe_create(&read, &write)) return f;
    read_end.store(read);
    write_end.store(write);
    owner.store(getpid(), std::memory_order_release);
  }
  *life_line = read_end.load();
  return {};
}

void life_line_ring() {
  if (owner.load(std::memory_order_acquire) == getpid()) [[maybe_unused]]
    const ssize_t written = write(write_end.load(), "", 1);
}

bool life_line_wakes(int life_line) {
  // Who gets which signal is a matter of the open file, which all children share. So it is opened anew, for good.
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", life_line);
  constexpr int kFlags = O_RDONLY | O_NONBLOCK;
  const int own = open(path, kFlags | O_CLOEXEC);
  if (own < 0) return false;
  if (fcntl(own, F_SETOWN, getpid()) == 0 && fcntl(own, F_SETSIG, SIGCONT) == 0 &&
      fcntl(own, F_SETFL, kFlags | O_ASYNC) == 0)
    return true;
  close(own);
  return false;
}

void life_line_leave() {
  const int parents = write_end.exchange(-1);
  if (parents >= 0) close(parents);
}

}  // namespace mp::platform
