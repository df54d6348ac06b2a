// Dying at a point of the core, in a process of its own.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/queues.h"

extern void (*mp_on_point)(const char*);

namespace mp::test {

/// Has a child of this process become a participant and do something, and die at a point of it.
template <class F>
void die_at(const char* point, F body) {
  const pid_t child = fork();
  if (child == 0) {
    static const char* where;
    where = point;
    mp_on_point = [](const char* p) {
      if (strcmp(p, where) == 0) kill(getpid(), SIGKILL);
    };
    body();
    _exit(1);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
}

/// A lock that only its reference in a message is to keep.
inline Reference make_lock(const Arena& arena, OwnerId me) { return name_of(arena, create(arena, me)); }

}  // namespace mp::test
