// While a forkserver runs JavaScript, which may be for ever, it does not look at its users. A thread does, and ends it when
// the last one has gone; it is there only as long as nothing is forked.
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <vector>

#include "platform/linux/forkserver.h"
#include "platform/platform.h"

namespace mp::platform {
namespace {

struct {
  bool runs = false;
  int stop = -1;
  Thread thread;
  std::vector<pollfd> watches;  // the first is `stop`
} watch;

void look(void*) {
  std::vector<pollfd>& watches = watch.watches;
  size_t left = watches.size() - 1;
  while (left > 0) {
    if (poll(watches.data(), watches.size(), -1) < 0) continue;
    if (watches[0].revents != 0) return;
    for (size_t i = 1; i < watches.size(); i++) {
      if (watches[i].fd < 0 || watches[i].revents == 0) continue;
      watches[i].fd = -1;
      left--;
    }
  }
  kill(getpid(), SIGKILL);
}

}  // namespace

void fork_watch_users(bool yes) {
  if (watch.runs == yes) return;
  if (!yes) {
    doorbell_ring(watch.stop);
    thread_join(watch.thread);
    close_fd(watch.stop);
    watch.runs = false;
    return;
  }
  if (doorbell_create(&watch.stop)) return;
  watch.watches.assign(1, {watch.stop, POLLIN, 0});
  // Messages are for later: only the end of a channel counts, and of a child.
  for (const int channel : server().channels) watch.watches.push_back({channel, 0, 0});
  for (const ServedChild& child : server().children) watch.watches.push_back({child.handle, POLLIN, 0});
  watch.runs = !thread_start("mp-users", look, nullptr, &watch.thread);
  if (!watch.runs) close_fd(watch.stop);
}

}  // namespace mp::platform
