// Processes on Linux: a vfork of our own, and pidfds for everything after it.
//
// Not posix_spawn: the oldest glibc we serve has neither its chdir nor a way to get the pidfd atomically. Not
// fork: it copies the page tables of a whole Node (1 ms per 50 MB). The child shares our memory until its
// exec, so it may only make system calls and write to its Launch.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <initializer_list>
#include <vector>

#include "platform/linux/descriptors.h"
#include "platform/linux/exit_record.h"
#include "platform/linux/life_line.h"
#include "platform/platform.h"

// Younger than the headers we build with; the numbers are the same on every architecture.
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

namespace mp::platform {
namespace {

constexpr int kPidfdIdType = 3;  // P_PIDFD
constexpr unsigned kCloseRangeCloexec = 1U << 2;
constexpr int kFdMax = 64;
constexpr size_t kStackSize = 64 * 1024;
constexpr int64_t kInterruptPollNs = 50'000'000;
constexpr int64_t kGraceNs = 500'000'000;

/// What the parent and its not yet exec'ed child share.
struct Launch {
  const SpawnRequest* request;
  const char* path;
  pid_t parent;
  Failure failure;
};

/// Where it works it is the kernel's doing: it finds processes that have not come to their follow_parent() yet, and those that
/// are stopped. It is about the thread that started them, whose end is that of its environment, and so of its children.
void tie_to_parent(OurEnd end) {
  if (end != OurEnd::nothing) prctl(PR_SET_PDEATHSIG, end == OurEnd::kills ? SIGKILL : SIGCONT);
}

void reset_signals() {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &action, nullptr);
}

/// Puts fds[i] at i. Sources that a target would overwrite are moved out of the way first.
Failure place_descriptors(const SpawnRequest& request) {
  const int count = request.fd_count;
  int sources[kFdMax];
  for (int i = 0; i < count; ++i) {
    int fd = request.fds[i];
    if (fd < 0 && (fd = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0) return {errno, "open"};
    if (fd < count && fd != i && (fd = fcntl(fd, F_DUPFD_CLOEXEC, count)) < 0) return {errno, "fcntl"};
    sources[i] = fd;
  }
  for (int i = 0; i < count; ++i) {
    const int done = sources[i] == i ? fcntl(i, F_SETFD, 0) : dup2(sources[i], i);
    if (done < 0) return {errno, "dup2"};
  }
  for (const int output : {STDOUT_FILENO, STDERR_FILENO})
    if (output < count) own_pipe(output);
  // What some library opened without close-on-exec. Where the call is missing it stays inherited, as it
  // always was.
  syscall(SYS_close_range, static_cast<unsigned>(count), ~0U, kCloseRangeCloexec);
  return {};
}

/// As execvp, with the search path of the child's environment.
Failure exec_program(const SpawnRequest& request, const char* path) {
  if (strchr(request.file, '/') != nullptr) {
    execve(request.file, request.argv, request.envp);
    return {errno, "execve"};
  }
  const size_t name_size = strlen(request.file) + 1;
  int code = ENOENT;
  for (const char* part = path; part != nullptr;) {
    const char* end = strchrnul(part, ':');
    const size_t size = static_cast<size_t>(end - part);
    char file[PATH_MAX];
    if (size + 1 + name_size <= sizeof file) {
      memcpy(file, part, size);
      file[size] = '/';
      // An empty part of a search path is the working directory.
      memcpy(file + size + (size > 0 ? 1 : 0), request.file, name_size);
      execve(file, request.argv, request.envp);
      if (errno != ENOENT && errno != ENOTDIR) code = errno;
      if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
    }
    part = *end == '\0' ? nullptr : end + 1;
  }
  return {code, "execve"};
}

Failure become_program(const Launch& launch) {
  const SpawnRequest& request = *launch.request;
  reset_signals();  // while all are blocked: a handler of the parent must not run in its memory from here
  tie_to_parent(request.our_end);
  if (request.our_end != OurEnd::nothing && getppid() != launch.parent) _exit(127);
  if (request.new_session && setsid() < 0) return {errno, "setsid"};
  if (Failure f = place_descriptors(request)) return f;
  if (request.cwd != nullptr && chdir(request.cwd) < 0) return {errno, "chdir"};
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  return exec_program(request, launch.path);
}

int child_main(void* data) {
  auto* launch = static_cast<Launch*>(data);
  launch->failure = become_program(*launch);
  _exit(127);
}

const char* search_path(char* const* envp) {
  for (; *envp != nullptr; ++envp) {
    if (strncmp(*envp, "PATH=", 5) == 0) return *envp + 5;
  }
  return "/usr/local/bin:/bin:/usr/bin";
}

/// Waits for `handle`, at most `timeout_ns` (negative: for ever). True once the process has ended.
bool poll_handle(int handle, int64_t timeout_ns) {
  struct pollfd watch = {handle, POLLIN, 0};
  struct timespec t = {timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  return ppoll(&watch, 1, timeout_ns < 0 ? nullptr : &t, nullptr) == 1 && (watch.revents & POLLIN) != 0;
}

struct Followed {
  int parent;
  int ending;
};

void* follow(void* data) {
  const Followed followed = *static_cast<Followed*>(data);
  delete static_cast<Followed*>(data);
  struct pollfd watches[] = {{followed.parent, POLLIN, 0}, {followed.ending, POLLIN, 0}};
  while (poll(watches, 2, -1) < 0 && errno == EINTR) {
  }
  if (((watches[0].revents | watches[1].revents) & (POLLIN | POLLHUP)) == 0)
    return nullptr;  // someone closed it under us: nothing to follow any more
  // At once, however long this process takes to end: or a deep tree would take that for each generation.
  life_line_ring();
  kill(getpid(), SIGTERM);
  struct timespec grace = {kGraceNs / 1'000'000'000, kGraceNs % 1'000'000'000};
  nanosleep(&grace, nullptr);
  kill(getpid(), SIGKILL);
  return nullptr;
}

}  // namespace

Failure process_spawn(const SpawnRequest& request, Spawned* out) {
  if (request.fd_count > kFdMax) return {EINVAL, "dup2"};
  void* stack =
      mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return {errno, "mmap"};

  Launch launch = {&request, search_path(request.envp), getpid(), {}};
  int handle = -1;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  // CLONE_VFORK: returns when the child has exec'ed or ended, so `launch` and the stack are ours again.
  const pid_t pid = clone(child_main, static_cast<char*>(stack) + kStackSize,
                          CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &launch, &handle);
  const int clone_errno = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  munmap(stack, kStackSize);

  if (pid < 0) return {clone_errno, "clone"};
  if (!launch.failure && handle < 0) {
    kill(pid, SIGKILL);  // not reaped yet, so the pid is still its own
    launch.failure = {ENOSYS, "pidfd_open"};
  }
  if (launch.failure) {
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    if (handle >= 0) close(handle);
    return launch.failure;
  }
  const int kept = above_streams(handle);
  if (kept < 0) {
    const Failure failed{errno, "fcntl"};
    kill(pid, SIGKILL);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return failed;
  }
  *out = {static_cast<uint32_t>(pid), kept};
  return {};
}

Failure process_signal(int handle, int signal) {
  if (syscall(SYS_pidfd_send_signal, handle, signal, nullptr, 0) < 0) return {errno, "pidfd_send_signal"};
  return {};
}

Failure process_reap(int handle, bool* ended, int32_t* exit_code) {
  *ended = false;
  siginfo_t info;
  memset(&info, 0, sizeof info);
  // Only ever this one child: libuv waits for its own by pid, and neither may take the other's.
  if (waitid(static_cast<idtype_t>(kPidfdIdType), static_cast<id_t>(handle), &info, WEXITED | WNOHANG) < 0) {
    // Collected by somebody else (SIGCHLD ignored, a foreign waitpid(-1)): it ended, and perhaps the kernel can say how.
    if (errno == ECHILD && poll_handle(handle, 0)) {
      *ended = true;
      if (!exit_recorded(handle, exit_code)) *exit_code = 255;
      return {};
    }
    return {errno, "waitid"};
  }
  if (info.si_pid == 0) return {};
  *ended = true;
  *exit_code = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
  return {};
}

void processes_ended(const int* handles, int count, bool* ended) {
  std::vector<pollfd> watches;
  for (int i = 0; i < count; i++) watches.push_back({handles[i], POLLIN, 0});
  const bool any = poll(watches.data(), watches.size(), 0) > 0;
  for (int i = 0; i < count; i++) ended[i] = any && watches[static_cast<size_t>(i)].revents != 0;
}

bool process_wait(int handle, int64_t wake_at, const Word* interrupt, uint32_t interrupt_value) {
  for (;;) {
    if (poll_handle(handle, 0)) return true;
    if (interrupt != nullptr && interrupt->load(std::memory_order_acquire) != interrupt_value) return false;
    const int64_t left = wake_at - monotonic_now();
    if (left <= 0) return false;
    // In slices: the signal may be handled by another thread, and then nothing interrupts this poll.
    const bool sliced = interrupt != nullptr && left > kInterruptPollNs;
    if (poll_handle(handle, sliced ? kInterruptPollNs : left)) return true;
  }
}

void process_children(uint32_t, std::vector<uint32_t>*) {}  // they are told by /proc: src/process/tree.ts

Failure process_self_handle(int* handle) {
  const int fd = above_streams(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (fd < 0) return {errno, "pidfd_open"};
  *handle = fd;
  return {};
}

Failure follow_parent(int parent_handle, int parent_ending) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 256 * 1024);  // holds the static TLS of Node, too
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  auto* followed = new Followed{parent_handle, parent_ending};
  const int code = pthread_create(&thread, &attributes, follow, followed);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (code != 0) {
    delete followed;
    return {code, "pthread_create"};
  }
  // Not before: until then the parent's end was the end.
  prctl(PR_SET_PDEATHSIG, 0);
  if (!life_line_wakes(parent_ending)) tie_to_parent(OurEnd::wakes);
  return {};
}

}  // namespace mp::platform
