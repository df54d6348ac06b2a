// A process that has ended and was not collected yet is a zombie: /proc has how it ended, for its own user. Collected it is
// gone there, and from Linux 6.15 on its pidfd has it. Between the two looks it may pass from the one to the other.
#include "platform/linux/exit_record.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/platform.h"

namespace mp::platform {
namespace {

/// struct pidfd_info of <linux/pidfd.h>, in its first version: younger than the headers we build with.
struct PidfdInfo {
  uint64_t mask;
  uint64_t cgroup;
  uint32_t ids[11];
  int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr unsigned long kGetInfo = _IOWR(0xFF, 11, PidfdInfo);
constexpr uint64_t kInfoExit = 1U << 3;

/// All of a small file of /proc, as text. False: it is not there.
template <size_t N>
bool read_text(const char* path, char (&text)[N]) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t n = read(fd, text, N - 1);
  close(fd);
  text[n > 0 ? n : 0] = 0;
  return n > 0;
}

/// 0 or less once it has been collected.
long pid_of(int handle) {
  char path[48], text[512];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", handle);
  if (!read_text(path, text)) return 0;
  const char* line = strstr(text, "\nPid:");
  return line == nullptr ? 0 : strtol(line + sizeof "\nPid:" - 1, nullptr, 10);
}

bool recorded_by_zombie(int handle, int* wait_status) {
  const long pid = pid_of(handle);
  char path[48], text[1024];
  snprintf(path, sizeof path, "/proc/%ld/stat", pid);
  if (pid <= 0 || !read_text(path, text)) return false;
  // The name before may hold anything; the code is the last of the fields.
  const char *state = strrchr(text, ')'), *code = strrchr(text, ' ');
  if (state == nullptr || state[1] == 0 || state[2] != 'Z' || code < state) return false;
  *wait_status = static_cast<int>(strtol(code, nullptr, 10));
  // Still that pid: what was read was its own.
  return pid_of(handle) == pid;
}

bool recorded_by_handle(int handle, int* wait_status) {
  PidfdInfo info{};
  info.mask = kInfoExit;
  if (ioctl(handle, kGetInfo, &info) != 0 || (info.mask & kInfoExit) == 0) return false;
  *wait_status = info.exit_code;
  return true;
}

}  // namespace

int32_t exit_code_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? -WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

bool exit_recorded(int handle, int32_t* exit_code) {
  int status = 0;
  if (!recorded_by_zombie(handle, &status) && !recorded_by_handle(handle, &status)) return false;
  *exit_code = exit_code_of(status);
  return true;
}

}  // namespace mp::platform
