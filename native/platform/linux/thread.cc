#include "platform/platform.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <initializer_list>

namespace mp::platform {
namespace {

constexpr size_t kStackBytes = 256 * 1024;

struct Start {
  void (*body)(void*);
  void* argument;
};

void* run(void* p) {
  const Start start = *static_cast<Start*>(p);
  delete static_cast<Start*>(p);
  start.body(start.argument);
  return nullptr;
}

}  // namespace

Failure thread_start(const char* name, void (*body)(void*), void* argument, Thread* out) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  sigset_t all, old;
  sigfillset(&all);
  for (const int fault : {SIGBUS, SIGSEGV})
    sigdelset(&all, fault);                  // blocked, they would kill: see fault_guard.cc
  pthread_sigmask(SIG_SETMASK, &all, &old);  // a new thread inherits the mask
  auto* start = new Start{body, argument};
  pthread_t thread;
  const int error = pthread_create(&thread, &attributes, run, start);
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  pthread_attr_destroy(&attributes);
  if (error != 0) {
    delete start;
    return {error, "pthread_create"};
  }
  pthread_setname_np(thread, name);
  out->handle = thread;
  return {};
}

void thread_join(Thread thread) { pthread_join(thread.handle, nullptr); }

int thread_names(char* names, size_t size) {
  *names = 0;
  DIR* tasks = opendir("/proc/self/task");
  if (tasks == nullptr) return 0;
  int count = 0;
  size_t at = 0;
  while (const dirent* task = readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    count++;
    char path[300];
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    const ssize_t n = at + 1 < size ? read(fd, names + at, size - at - 1) : 0;
    close(fd);
    if (n > 0) at += static_cast<size_t>(n);
  }
  closedir(tasks);
  names[at] = 0;
  return count;
}

}  // namespace mp::platform
