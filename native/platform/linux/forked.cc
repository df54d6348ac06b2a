// A forked process before it is anybody's: it learns from its channel who asked for it, and with which descriptors.
//
// Death  Of the server: the channel ends, and so does the process. Of the requester: see fork_request.cc.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "platform/linux/channel.h"

namespace mp::platform {
namespace {

/// Of an assignment: a start's without its first, which is the server's.
constexpr int kGo = kGoFd - 1, kStreams = kStreamFds - 1, kOthers = kOtherFds - 1;
constexpr int kCannotBegin = 127;
sigset_t its_mask;

void drop_signals(uint64_t which) {
  sigset_t set;
  sigemptyset(&set);
  for (int signal = 1; signal < NSIG; signal++)
    if ((which >> (signal - 1) & 1) != 0) sigaddset(&set, signal);
  const timespec at_once{};
  siginfo_t info;
  while (which != 0 && sigtimedwait(&set, &info, &at_once) > 0) {
  }
}

/// Waits for the assignment. All signals are blocked: one that comes before it was sent to a group that this process is in
/// by its birth alone, and means nothing to it.
void await_assignment(int channel) {
  sigset_t all;
  sigfillset(&all);
  const int signals = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
  pollfd watches[] = {{channel, POLLIN, 0}, {signals, POLLIN, 0}};
  while (watches[0].revents == 0) {
    if (poll(watches, signals < 0 ? 1 : 2, -1) < 0 && errno != EINTR) _exit(kCannotBegin);
    signalfd_siginfo ignored;
    while (watches[0].revents == 0 && read(signals, &ignored, sizeof ignored) > 0) {
    }
  }
  close(signals);
}

}  // namespace

Failure assign(int channel, const Assignment& assignment, const Received& start) {
  return datagram_send(channel, &assignment, sizeof assignment, start.fds + kGoFd, start.fd_count - kGoFd,
                       false);
}

void fork_take_mask(const sigset_t& mask) { its_mask = mask; }

void fork_take(int channel, ForkTurn* turn) {
  await_assignment(channel);
  Assignment assignment{};
  Received received;
  const Failure failed = datagram_receive(channel, &assignment, sizeof assignment, true, &received);
  if (!failed && received.size == 0) _exit(0);
  // The reason goes nowhere: there are no streams yet.
  if (failed || received.cut || received.fd_count < kOthers || assignment.magic != kForkMagic)
    _exit(kCannotBegin);
  drop_signals(assignment.stale);
  if (assignment.new_session != 0) setsid();
  for (int i = 0; i < 3; i++) {
    if (dup2(received.fds[kStreams + i], i) < 0) _exit(kCannotBegin);
    close(received.fds[kStreams + i]);
    if (i > 0) own_pipe(i);
  }
  *turn = {ForkTurn::child, {}, 0, received.fds[kGo], channel, assignment.requester};
  for (int i = kOthers; i < received.fd_count; i++) turn->fds[turn->fd_count++] = received.fds[i];
  // What was sent to it since was blocked, and counts from here on.
  pthread_sigmask(SIG_SETMASK, &its_mask, nullptr);
}

}  // namespace mp::platform
