// Stream sockets on Linux: local ones by path or abstract name, and TCP.
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "platform/linux/descriptors.h"
#include "platform/platform.h"

namespace mp::platform {
namespace {

/// Signals are looked for so often while a thread waits: one that another thread handles interrupts no poll.
constexpr int64_t kInterruptPollNs = 20'000'000;

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
  Failure failed;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&bytes); }
  bool is_local() const { return bytes.ss_family == AF_UNIX; }

  explicit Address(SocketPlace place) {
    if (place.port < 0) {
      auto* local = reinterpret_cast<sockaddr_un*>(&bytes);
      static_assert(sizeof local->sun_path == kSocketNameMax);
      local->sun_family = AF_UNIX;
      const bool abstract = place.name_size > 0 && place.name[0] == 0;
      if (place.name_size == 0 || place.name_size + (abstract ? 0 : 1) > sizeof local->sun_path) {
        failed = {place.name_size == 0 ? EINVAL : ENAMETOOLONG, "bind"};
        return;
      }
      memcpy(local->sun_path, place.name, place.name_size);
      size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + place.name_size + (abstract ? 0 : 1));
      return;
    }
    char port[16];
    snprintf(port, sizeof port, "%d", place.port);
    addrinfo hints{}, *found = nullptr;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(place.name, port, &hints, &found) != 0) {
      failed = {EINVAL, "getaddrinfo"};
      return;
    }
    memcpy(&bytes, found->ai_addr, found->ai_addrlen);
    size = found->ai_addrlen;
    freeaddrinfo(found);
  }
};

Failure open_for(const Address& address, int type, int* fd) {
  *fd = above_streams(socket(address.bytes.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  return *fd < 0 ? Failure{errno, "socket"} : Failure{};
}

/// What `call` failed with. Closes the socket.
Failure give_up(int* fd, const char* call) {
  const Failure failed{errno, call};
  close(*fd);
  *fd = -1;
  return failed;
}

/// A message is small and goes out at once, whatever is still on its way.
void hurry(int fd) {
  const int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);  // refused by a local socket, which always does
}

Failure named(const sockaddr_storage& address, socklen_t size, SocketName* out) {
  if (address.ss_family == AF_UNIX) {
    const auto* local = reinterpret_cast<const sockaddr_un*>(&address);
    const size_t offset = offsetof(sockaddr_un, sun_path);
    out->name_size = size > offset ? size - offset : 0;
    if (out->name_size > 0 && local->sun_path[0] != 0)
      out->name_size = strnlen(local->sun_path, out->name_size);
    memcpy(out->name, local->sun_path, out->name_size);
    return {};
  }
  char port[16];
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, out->name, sizeof out->name, port,
                  sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return {EINVAL, "getnameinfo"};
  out->name_size = strlen(out->name);
  sscanf(port, "%d", &out->port);
  return {};
}

}  // namespace

Failure socket_listen(SocketPlace place, int backlog, int* fd, FileFacts* facts) {
  Address address(place);
  if (address.failed) return address.failed;
  if (Failure f = open_for(address, SOCK_STREAM, fd)) return f;
  if (!address.is_local()) {
    // Connections of a server that has ended keep its port busy for a minute; they are no reason to fail.
    const int yes = 1;
    if (setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0) return give_up(fd, "setsockopt");
  }
  if (bind(*fd, address.get(), address.size) < 0) return give_up(fd, "bind");
  struct stat s;
  if (address.is_local() && place.name[0] != 0 && lstat(place.name, &s) == 0)
    *facts = {s.st_dev, s.st_ino, 0};
  if (listen(*fd, backlog) < 0) {
    if (facts->inode != 0) unlink(place.name);
    return give_up(fd, "listen");
  }
  return {};
}

bool socket_abandoned(SocketPlace place) {
  struct stat s;
  if (place.port >= 0 || place.name_size == 0 || place.name[0] == 0) return false;
  if (lstat(place.name, &s) < 0 || !S_ISSOCK(s.st_mode)) return false;
  Address address(place);
  int fd;
  // A socket of another type is never connected: EPROTOTYPE says that one is there, ECONNREFUSED that there is none.
  if (address.failed || open_for(address, SOCK_DGRAM, &fd)) return false;
  const bool refused = connect(fd, address.get(), address.size) < 0 && errno == ECONNREFUSED;
  close(fd);
  return refused;
}

Failure socket_accept(int listener, int* fd) {
  for (;;) {
    *fd = above_streams(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (*fd >= 0) {
      hurry(*fd);
      return {};
    }
    if (errno == EAGAIN) return {};
    // It went away while it was waiting. Networks' errors are told here, too: accept(2).
    if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
    return {errno, "accept"};
  }
}

Failure socket_connect(SocketPlace place, int* fd) {
  Address address(place);
  if (address.failed) return address.failed;
  if (Failure f = open_for(address, SOCK_STREAM, fd)) return f;
  hurry(*fd);
  while (connect(*fd, address.get(), address.size) < 0) {
    if (errno == EINPROGRESS) break;
    if (errno != EINTR) return give_up(fd, "connect");
  }
  return {};
}

Failure socket_connected(int fd, bool* connected) {
  pollfd watch = {fd, POLLOUT, 0};
  *connected = poll(&watch, 1, 0) == 1;
  if (!*connected) return {};
  int code = 0;
  socklen_t size = sizeof code;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0) code = errno;
  return {code, "connect"};
}

Failure socket_name(int fd, SocketName* name) {
  sockaddr_storage address;
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) < 0) return {errno, "getsockname"};
  return named(address, size, name);
}

Failure socket_peer_name(int fd, SocketName* name) {
  sockaddr_storage address;
  socklen_t size = sizeof address;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) < 0) return {errno, "getpeername"};
  return named(address, size, name);
}

Failure socket_receive(int fd, void* into, size_t size, int64_t* count) {
  do {
    *count = recv(fd, into, size, 0);
  } while (*count < 0 && errno == EINTR);
  return *count < 0 && errno != EAGAIN ? Failure{errno, "recv"} : Failure{};
}

Failure socket_send(int fd, const void* bytes, size_t size, int64_t* count) {
  do {
    *count = send(fd, bytes, size, MSG_NOSIGNAL);
  } while (*count < 0 && errno == EINTR);
  return *count < 0 && errno != EAGAIN ? Failure{errno, "send"} : Failure{};
}

void socket_end(int fd) { shutdown(fd, SHUT_WR); }

SocketWait socket_wait(int fd, bool to_send, int64_t wake_at, const Word* interrupt,
                       uint32_t interrupt_value) {
  for (;;) {
    if (interrupt->load(std::memory_order_acquire) != interrupt_value) return SocketWait::interrupted;
    const int64_t left = wake_at - monotonic_now();
    const int64_t slice = left < 0 ? 0 : left < kInterruptPollNs ? left : kInterruptPollNs;
    pollfd watch = {fd, static_cast<short>(to_send ? POLLOUT : POLLIN), 0};
    const timespec t = {0, static_cast<long>(slice)};
    if (ppoll(&watch, 1, &t, nullptr) == 1) return SocketWait::ready;
    if (left <= 0) return SocketWait::timed_out;
  }
}

}  // namespace mp::platform
