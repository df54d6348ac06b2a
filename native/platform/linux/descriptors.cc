// Doorbells, pipes and plain files on Linux. Every descriptor is closed on exec.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/linux/descriptors.h"
#include "platform/platform.h"

namespace mp::platform {

Failure doorbell_create(int* fd) {
  *fd = above_streams(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (*fd < 0) return {errno, "eventfd"};
  return {};
}

void doorbell_ring(int fd) {
  const uint64_t one = 1;
  // EAGAIN: the counter is full, so the bell rings already.
  while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void doorbell_clear(int fd) {
  uint64_t count;
  while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

int descriptor_of(intptr_t handle) { return static_cast<int>(handle); }
int descriptor_in_others(int fd) { return fd; }

uint32_t handle_count() { return 0; }  // descriptors are told by /proc/self/fd

// Loops poll eventfds and pidfds, and connect to pipes by their descriptors.
Failure listen_start(int, bool, void (*)(void*), void*, void**) { return {ENOSYS, "multiproc"}; }
void listen_stop(void*) {}
Failure pipe_offer(bool, int*, char (&)[kPipeNameMax]) { return {ENOSYS, "multiproc"}; }

Failure pipe_create(int* read_end, int* write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0 || !above_streams(ends)) return {errno, "pipe2"};
  *read_end = ends[0];
  *write_end = ends[1];
  return {};
}

Failure file_read_at(int fd, void* bytes, size_t size, size_t offset) {
  auto* to = static_cast<char*>(bytes);
  while (size > 0) {
    const ssize_t n = pread(fd, to, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return {errno, "pread"};
    if (n == 0) return {EIO, "pread"};  // shorter than its header claims
    to += n;
    offset += static_cast<size_t>(n);
    size -= static_cast<size_t>(n);
  }
  return {};
}

Failure file_write_at(int fd, const void* bytes, size_t size, size_t offset) {
  const auto* from = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t n = pwrite(fd, from, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return {errno, "pwrite"};
    from += n;
    offset += static_cast<size_t>(n);
    size -= static_cast<size_t>(n);
  }
  return {};
}

Failure file_resize(int fd, size_t size) {
  if (ftruncate(fd, static_cast<off_t>(size)) < 0) return {errno, "ftruncate"};
  return {};
}

void close_fd(int fd) {
  // Never repeated after EINTR: the descriptor is gone by then and may be someone else's.
  close(fd);
}

void directory_remove(const char* path) { rmdir(path); }

Failure close_on_exec(int fd) {
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return {errno, "fcntl"};
  return {};
}

void own_pipe(int fd) {
  struct stat about;
  if (fstat(fd, &about) < 0 || !S_ISFIFO(about.st_mode)) return;
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) return;
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  // Non-blocking: one with a name and without a reader would be waited for.
  const int own = open(path, (flags & (O_ACCMODE | O_DIRECT)) | O_NONBLOCK | O_CLOEXEC);
  if (own < 0) return;
  if (fcntl(own, F_SETFL, flags & ~O_NONBLOCK) == 0) dup2(own, fd);
  close(own);
}

void await_space(int fd) {
  pollfd watch{fd, POLLOUT, 0};
  while (poll(&watch, 1, -1) < 0 && errno == EINTR) {
  }
}

Failure move_fd(int fd, int to) {
  if (dup2(fd, to) < 0) return {errno, "dup2"};
  if (fd != to) close(fd);
  return {};
}

}  // namespace mp::platform
