// A process that forks itself, for start method fork.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/linux/descriptors.h"
#include "platform/linux/life_line.h"
#include "platform/platform.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace mp::platform {
namespace {

constexpr int kStreams = 3;
constexpr int64_t kSessionNs = 100'000'000;
/// Of a child: Node's own, which need not be empty (SIGUSR1, with --disable-sigusr1).
sigset_t its_mask;

/// The streams may be each other's sources: all are copied out of the way first.
void place_streams(const int* fds) {
  int copies[kStreams];
  for (int i = 0; i < kStreams; i++) {
    copies[i] = fds[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : fcntl(fds[i], F_DUPFD_CLOEXEC, kStreams);
    if (copies[i] >= 0 && copies[i] < kStreams) copies[i] = fcntl(copies[i], F_DUPFD_CLOEXEC, kStreams);
    if (copies[i] < 0) _exit(127);
  }
  for (int i = 0; i < kStreams; i++) {
    if (dup2(copies[i], i) < 0) _exit(127);
    close(copies[i]);
    if (i > 0) own_pipe(i);
  }
}

void await_session(pid_t pid) {
  const int64_t until = monotonic_now() + kSessionNs;
  while (getsid(pid) != pid && monotonic_now() < until) yield();
}

/// Of one of our threads; X: it has ended. Its name, which comes first, may hold anything.
char state_of(const char* tid) {
  char path[300], text[512];
  snprintf(path, sizeof path, "/proc/self/task/%s/stat", tid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 'X';
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 'X';
  text[n] = 0;
  const char* end = strrchr(text, ')');
  return end == nullptr || end[1] == 0 ? 'X' : end[2];
}

}  // namespace

Failure process_fork(const int* streams, bool new_session, Spawned* out) {
  *out = {0, -1};
  // What is not open is an error here, not a child's end.
  for (int i = 0; i < kStreams; i++)
    if (streams[i] >= 0 && fcntl(streams[i], F_GETFD) < 0) return {errno, "dup2"};
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = fork();
  const int failed = errno;
  if (pid == 0) {
    its_mask = before;
    life_line_leave();
    if (new_session) setsid();
    place_streams(streams);
    // Signals stay blocked until their handlers are the child's: fork_unblock().
    return {};
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return {failed, "fork"};
  const int handle = above_streams(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (handle < 0) {
    const Failure failure{errno, "pidfd_open"};
    kill(pid, SIGKILL);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return failure;
  }
  if (new_session) await_session(pid);
  *out = {static_cast<uint32_t>(pid), handle};
  return {};
}

void fork_unblock() { pthread_sigmask(SIG_SETMASK, &its_mask, nullptr); }

void signal_ignore(int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  signal(number, SIG_IGN);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

bool threads_rest() {
  DIR* tasks = opendir("/proc/self/task");
  if (tasks == nullptr) return true;
  const uint32_t own = thread_id();
  bool rest = true;
  while (const dirent* task = rest ? readdir(tasks) : nullptr) {
    if (task->d_name[0] == '.' || strtoul(task->d_name, nullptr, 10) == own) continue;
    const char state = state_of(task->d_name);
    rest = state == 'S' || state == 'X' || state == 'Z';
  }
  closedir(tasks);
  return rest;
}

Failure process_exec(const char* file, char* const* argv, char* const* envp) {
  // Node marks them when it starts.
  for (int i = 0; i < kStreams; i++) fcntl(i, F_SETFD, 0);
  execve(file, argv, envp);
  return {errno, "execve"};
}

}  // namespace mp::platform
