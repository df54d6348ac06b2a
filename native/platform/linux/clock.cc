// Time, identity, and the names of errors.
#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace mp::platform {

int64_t monotonic_now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

uint32_t process_id() { return static_cast<uint32_t>(getpid()); }
uint32_t thread_id() { return static_cast<uint32_t>(syscall(SYS_gettid)); }

uint64_t process_start_time(uint32_t pid) {
  // Not /proc/<pid>/stat: an emulator answers that one itself, with another value for one's own pid than others read.
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%u/task/%u/stat", pid, pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  char* at = strrchr(text, ')');  // the command's name may hold anything, parentheses too
  for (int field = 2; at != nullptr && field < 22; field++) at = strchr(at + 1, ' ');
  return at == nullptr ? 0 : strtoull(at + 1, nullptr, 10);
}

uint64_t pid_namespace() {
  struct stat s;
  return stat("/proc/self/ns/pid", &s) == 0 ? s.st_ino : 0;
}

const char* failure_text(int code) { return strerror(code); }

const char* failure_name(int code) {
  // Not strerrorname_np: it needs glibc 2.32, and musl has none.
  switch (code) {
// clang-format off
#define NAME(e) case e: return #e;
    NAME(EPERM) NAME(ENOENT) NAME(ESRCH) NAME(EINTR) NAME(EIO) NAME(ENXIO) NAME(E2BIG) NAME(ENOEXEC)
    NAME(EBADF) NAME(ECHILD) NAME(EAGAIN) NAME(ENOMEM) NAME(EACCES) NAME(EFAULT) NAME(EBUSY) NAME(EEXIST)
    NAME(ENODEV) NAME(ENOTDIR) NAME(EISDIR) NAME(EINVAL) NAME(ENFILE) NAME(EMFILE) NAME(ETXTBSY) NAME(EFBIG)
    NAME(ENOSPC) NAME(ESPIPE) NAME(EROFS) NAME(EPIPE) NAME(ERANGE) NAME(EDEADLK) NAME(ENAMETOOLONG)
    NAME(ENOSYS) NAME(ENOTEMPTY) NAME(ELOOP) NAME(EOPNOTSUPP) NAME(ENOBUFS) NAME(ETIMEDOUT) NAME(ESTALE)
    NAME(EDQUOT) NAME(EOWNERDEAD) NAME(ECONNRESET) NAME(EPROTO) NAME(ENOTCONN)
    NAME(EADDRINUSE) NAME(EADDRNOTAVAIL) NAME(EAFNOSUPPORT) NAME(ECONNABORTED) NAME(ECONNREFUSED)
    NAME(EHOSTDOWN) NAME(EHOSTUNREACH) NAME(ENETDOWN) NAME(ENETUNREACH) NAME(EISCONN) NAME(ENOTSOCK)
    NAME(EPROTOTYPE)
#undef NAME
    default: return "EUNKNOWN";
    // clang-format on
  }
}

}  // namespace mp::platform
