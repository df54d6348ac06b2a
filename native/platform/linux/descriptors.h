// Where descriptors of ours may lie.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

namespace mp::platform {

/// `fd`, not as a standard stream: a program that has closed its output would write into what we have open there, and its
/// children would inherit it. What cannot be moved (EMFILE) is closed, as if it had not come to be; -1 stays -1, with its errno.
inline int above_streams(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int failed = errno;
  close(fd);
  errno = failed;
  return moved;
}

/// Both ends of a pair. False: they are closed, and errno says why.
inline bool above_streams(int (&ends)[2]) {
  for (int& end : ends) end = above_streams(end);
  if (ends[0] >= 0 && ends[1] >= 0) return true;
  const int failed = errno;
  for (const int end : ends)
    if (end >= 0) close(end);
  errno = failed;
  return false;
}

}  // namespace mp::platform
