#include "platform/linux/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "platform/linux/descriptors.h"

namespace mp::platform {

Failure channel_create(int* requester_end, int* server_end) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 || !above_streams(ends))
    return {errno, "socketpair"};
  // Each message then says who sent it: a channel that was inherited, or a user that was changed, is no secret.
  const int yes = 1;
  if (setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) < 0) {
    const Failure failed{errno, "setsockopt"};
    close_all(ends, 2);
    return failed;
  }
  *requester_end = ends[0];
  *server_end = ends[1];
  return {};
}

Failure datagram_send(int fd, const void* data, size_t size, const int* fds, int fd_count, bool wait) {
  iovec bytes{const_cast<void*>(data), size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kForkFdMax)] = {};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (fd_count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * static_cast<size_t>(fd_count));
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * static_cast<size_t>(fd_count));
    memcpy(CMSG_DATA(rights), fds, sizeof(int) * static_cast<size_t>(fd_count));
  }
  while (sendmsg(fd, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT)) < 0) {
    if (errno != EINTR) return {errno, "sendmsg"};
  }
  return {};
}

Failure datagram_receive(int fd, void* data, size_t size, bool wait, Received* out) {
  iovec bytes{data, size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kForkFdMax) + CMSG_SPACE(sizeof(ucred))];
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  do {
    out->size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  } while (out->size < 0 && errno == EINTR);
  if (out->size < 0) return {errno, "recvmsg"};
  bool lost = false;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET) continue;
    if (c->cmsg_type == SCM_CREDENTIALS) {
      ucred who;
      memcpy(&who, CMSG_DATA(c), sizeof who);
      out->sender = who.pid;
      out->same_user = who.uid == getuid() && who.gid == getgid();
    } else if (c->cmsg_type == SCM_RIGHTS) {
      const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count; i++) {
        int received;
        memcpy(&received, CMSG_DATA(c) + i * sizeof received, sizeof received);
        received = above_streams(received);
        lost = lost || received < 0;
        if (out->fd_count < kForkFdMax)
          out->fds[out->fd_count++] = received;
        else
          close(received);
      }
    }
  }
  out->cut = lost || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  return {};
}

void close_all(const int* fds, int count) {
  for (int i = 0; i < count; i++) {
    if (fds[i] >= 0) close(fds[i]);
  }
}

}  // namespace mp::platform
