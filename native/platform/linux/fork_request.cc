// The requester's side of a forkserver.
//
//   requester                          server                       child
//   send: descriptors, `status`, `go`
//                                      fork
//                                      send: pid, its handle        mends itself, reads `go`
//   receive; writes to `go`
//                                                                   runs
//                                      collects it, writes `status`
//
// Death  Of the requester before it knows of the child: `go` ends without a byte, and so does the child. Of the server:
//        the channel ends, here or in the middle of a request; children that run are not touched, their exit code is
//        lost with `status`.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "platform/linux/channel.h"
#include "platform/linux/exit_record.h"

namespace mp::platform {
namespace {

constexpr int kInterruptPollMs = 50;
/// From the death of a child until its server has collected it. A server that was stopped tells never.
constexpr int kStatusWaitMs = 2000;

bool readable(int fd, int timeout_ms) {
  pollfd watch{fd, POLLIN, 0};
  return poll(&watch, 1, timeout_ms) == 1;
}

/// Whether the server has told the exit code, or does within that time.
bool told(int status, int timeout_ms, int32_t* exit_code) {
  return readable(status, timeout_ms) &&
         read(status, exit_code, sizeof *exit_code) == static_cast<ssize_t>(sizeof *exit_code);
}

/// Everything a request opens; what is still here at its end is closed.
struct Opened {
  int status[2] = {-1, -1};
  int go[2] = {-1, -1};
  int nothing = -1;
  ~Opened() {
    close_all(status, 2);
    close_all(go, 2);
    close_all(&nothing, 1);
  }
};

struct Answer {
  ForkReply reply;
  char refusal[kRefusalBytes];
};

/// The next datagram that is an answer; counts those that say that the server is ready. Without `wait`: EAGAIN.
Failure receive_answer(int channel, uint32_t* untold, void* data, size_t size, bool wait,
                       Received* received) {
  for (;;) {
    if (Failure f = datagram_receive(channel, data, size, wait, received)) return f;
    uint32_t magic = 0;
    if (received->size >= static_cast<ssize_t>(sizeof magic)) memcpy(&magic, data, sizeof magic);
    if (magic != kReadyMagic) return {};
    close_all(received->fds, received->fd_count);
    received->fd_count = 0;
    if (*untold > 0) --*untold;
  }
}

Failure await_answer(int channel, int64_t wake_at, const Word* interrupt, uint32_t interrupt_value,
                     uint32_t* untold, Answer* answer, Received* received) {
  for (;;) {
    while (!readable(channel, kInterruptPollMs)) {
      if (interrupt->load(std::memory_order_acquire) != interrupt_value) return {EINTR, "recvmsg"};
      if (monotonic_now() >= wake_at) return {ETIMEDOUT, "recvmsg"};
    }
    const Failure f = receive_answer(channel, untold, answer, sizeof *answer - 1, false, received);
    if (!f) break;
    if (f.code != EAGAIN) return f;
  }
  if (received->size == 0) return {ECONNRESET, "recvmsg"};
  if (received->size < static_cast<ssize_t>(sizeof answer->reply) || answer->reply.magic != kForkMagic)
    return {EPROTO, "recvmsg"};
  reinterpret_cast<char*>(answer)[received->size] = 0;
  return {};
}

/// The names of calls are literals elsewhere; this one came as text.
const char* name_of_call(const char* text) {
  for (const char* known :
       {"fork", "socketpair", "pidfd_open", "epoll_create1", "epoll_ctl", "recvmsg", "getuid", "refused"}) {
    if (strncmp(known, text, sizeof ForkReply{}.syscall) == 0) return known;
  }
  return "fork";
}

}  // namespace

Failure fork_request(int channel, const SpawnRequest& request, int64_t wake_at, const Word* interrupt,
                     uint32_t interrupt_value, uint32_t* untold, ForkAnswer* out) {
  if (request.fd_count < 3 || request.fd_count + kStreamFds > kForkFdMax) return {EINVAL, "sendmsg"};
  Opened opened;
  if (Failure f = pipe_create(&opened.status[0], &opened.status[1])) return f;
  if (Failure f = pipe_create(&opened.go[0], &opened.go[1])) return f;
  int fds[kForkFdMax] = {opened.status[1], opened.go[0]};
  for (int i = 0; i < request.fd_count; i++) {
    if (request.fds[i] < 0 && opened.nothing < 0 &&
        (opened.nothing = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
      return {errno, "open"};
    fds[kStreamFds + i] = request.fds[i] < 0 ? opened.nothing : request.fds[i];
    if (fcntl(fds[kStreamFds + i], F_GETFD) < 0) return {errno, "dup2"};
  }
  const int fd_count = kStreamFds + request.fd_count;
  const ForkHeader header{kForkMagic, ForkKind::start, static_cast<uint32_t>(fd_count), request.new_session};
  if (Failure f = datagram_send(channel, &header, sizeof header, fds, fd_count, true)) return f;
  // Or the death of the server, and of the child, would not be seen.
  close(opened.status[1]);
  close(opened.go[0]);
  opened.status[1] = opened.go[0] = -1;

  Answer answer;
  Received received;
  if (Failure f = await_answer(channel, wake_at, interrupt, interrupt_value, untold, &answer, &received)) {
    close_all(received.fds, received.fd_count);
    return f;
  }
  Failure failed{answer.reply.code, name_of_call(answer.reply.syscall)};
  if (failed.code == EBUSY) memcpy(out->refusal, answer.refusal, sizeof answer.refusal);
  if (!failed && received.fd_count != 1) failed = {EMFILE, "recvmsg"};
  const char go = 1;
  if (!failed && write(opened.go[1], &go, 1) != 1 && errno != EPIPE) failed = {errno, "write"};
  if (failed) {
    close_all(received.fds, received.fd_count);
    return failed;
  }
  out->forked = {answer.reply.pid, received.fds[0], opened.status[0]};
  opened.status[0] = -1;
  return {};
}

Failure fork_tell(int channel, const int* fds, int fd_count) {
  const ForkHeader header{kForkMagic, ForkKind::tell, static_cast<uint32_t>(fd_count), 0};
  return datagram_send(channel, &header, sizeof header, fds, fd_count, true);
}

Failure fork_ready(int channel, uint32_t* untold, bool* ready) {
  Received received;
  char nothing[sizeof(ForkReply)];
  Failure failed;
  do {
    failed = receive_answer(channel, untold, nothing, sizeof nothing, false, &received);
    close_all(received.fds, received.fd_count);
    received.fd_count = 0;
    // Nobody has asked anything: what else comes is no answer to be waited for.
    if (!failed && received.size == 0) failed = {ECONNRESET, "recvmsg"};
  } while (!failed);
  *ready = *untold == 0;
  return failed.code == EAGAIN ? Failure{} : failed;
}

Failure fork_census(int channel, uint32_t* untold, int64_t wake_at, uint32_t* pids, int max, int* count) {
  *count = 0;
  const ForkHeader header{kForkMagic, ForkKind::census, 0, 0};
  if (Failure f = datagram_send(channel, &header, sizeof header, nullptr, 0, true)) return f;
  Received received;
  Failure failed;
  do {
    while (!readable(channel, kInterruptPollMs))
      if (monotonic_now() >= wake_at) return {ETIMEDOUT, "recvmsg"};
    const size_t size = sizeof *pids * static_cast<size_t>(max);
    failed = receive_answer(channel, untold, pids, size, false, &received);
  } while (failed.code == EAGAIN);
  close_all(received.fds, received.fd_count);
  if (!failed && received.size == 0) failed = {ECONNRESET, "recvmsg"};
  *count = failed ? 0 : static_cast<int>(received.size / static_cast<ssize_t>(sizeof *pids));
  return failed;
}

Failure process_reap_forked(int handle, int status, bool* ended, int32_t* exit_code) {
  *ended = false;
  if (!readable(handle, 0)) return {};
  *ended = true;
  *exit_code = 255;
  // The server first: when it has told, the child is collected, and its pid is nobody's.
  if (!told(status, kStatusWaitMs, exit_code)) exit_recorded(handle, exit_code);
  return {};
}

uint64_t privileges() {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, by words
  const auto add = [&](uint64_t id) { hash = (hash ^ id) * 0x100000001b3; };
  for (const uint64_t id : {getuid(), geteuid(), getgid(), getegid()}) add(id);
  std::vector<gid_t> groups(static_cast<size_t>(std::max(0, getgroups(0, nullptr))));
  groups.resize(static_cast<size_t>(std::max(0, getgroups(static_cast<int>(groups.size()), groups.data()))));
  for (const gid_t group : groups) add(group);
  return hash;
}

int current_umask() {
  const int status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  char text[256];
  const ssize_t n = read(status, text, sizeof text - 1);
  close_all(&status, 1);
  if (n <= 0) return -1;
  text[n] = 0;
  const char* line = strstr(text, "\nUmask:");
  return line == nullptr ? -1 : static_cast<int>(strtol(line + sizeof "\nUmask:" - 1, nullptr, 8));
}

bool fork_confirmed(int go) {
  char byte;
  ssize_t n;
  do {
    n = read(go, &byte, 1);
  } while (n < 0 && errno == EINTR);
  close(go);
  return n == 1;
}

}  // namespace mp::platform
