// Messages between a forkserver and its requesters: datagrams with descriptors.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstdint>

#include "platform/platform.h"

namespace mp::platform {

enum class ForkKind : uint32_t { start = 1, tell = 2, census = 3 };
inline constexpr uint32_t kForkMagic = 0x4b46504d;
/// Of a start, before what the requester passes on.
enum ForkFd : int { kStatusFd, kGoFd, kStreamFds, kOtherFds = kStreamFds + 3 };

struct ForkHeader {
  uint32_t magic = kForkMagic;
  ForkKind kind;
  uint32_t fd_count;
  uint32_t new_session;
};

/// What a new process of the server's is to be, on its own channel: with the descriptors of a start, from kGoFd on.
struct Assignment {
  uint32_t magic;
  uint32_t requester;
  uint32_t new_session;
  uint64_t stale;  // signals it had been sent by then, and has not dropped yet: bit n - 1 for signal n
};

/// Begins the answer to a start; the child's handle comes with it, and after a refusal its sentence.
struct ForkReply {
  uint32_t magic = kForkMagic;
  int32_t code = 0;
  uint32_t pid = 0;
  char syscall[20] = "";
};

/// The server can serve what comes after a fork_tell: one ForkReply for each, on the channel of the tell.
inline constexpr uint32_t kReadyMagic = 0x4b52504d;

/// What came with a datagram. Whoever receives closes what it does not keep.
struct Received {
  ssize_t size = 0;  // 0: the other end is closed
  int fds[kForkFdMax];
  int fd_count = 0;
  bool cut = false;  // this process cannot have so many descriptors, or the message is longer than it may be
  bool same_user = false;
  pid_t sender = 0;
};

/// Never raises SIGPIPE. `wait` false: EAGAIN where its queue is full.
Failure datagram_send(int fd, const void* data, size_t size, const int* fds, int fd_count, bool wait);
/// `wait` false: EAGAIN if there is none. `same_user` and `sender` are known where the socket asks for them.
Failure datagram_receive(int fd, void* data, size_t size, bool wait, Received* out);
Failure assign(int channel, const Assignment& assignment, const Received& start);
/// In a new process, for fork_take(): Node's own mask, which need not be empty (SIGUSR1, with --disable-sigusr1).
void fork_take_mask(const sigset_t& mask);
void close_all(const int* fds, int count);

}  // namespace mp::platform
