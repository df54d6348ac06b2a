#include "storm/parent.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include <vector>

#include "storm/points.h"

namespace mp::test {
namespace {

bool enough(const Options& options, uint64_t kills) {
  if (kills < options.kills) return false;
  uint64_t fewest = 0;
  pick_point(&fewest);
  return fewest >= options.points || kills > options.kills * 20 + 20'000;
}

pid_t start(const Storm& storm, uint32_t number) {
  uint64_t fewest;
  const bool at_point = number >= storm.mortal_from && !storm.options.random && below(4) != 0;
  const char* name = at_point ? pick_point(&fewest) : nullptr;
  const uint32_t after = below(2) * below(4);
  next_random();
  const pid_t pid = fork();
  if (pid == 0) storm.work(number, name, after);
  CHECK(pid > 0);
  return pid;
}

}  // namespace

Options parse_options(int count, char** words, uint64_t workers_max) {
  Options o;
  struct {
    const char* format;
    uint64_t* value;
  } const numbers[] = {{"kills=%llu", &o.kills},
                       {"workers=%llu", &o.workers},
                       {"locks=%llu", &o.locks},
                       {"points=%llu", &o.points},
                       {"seed=%llu", &o.seed}};
  for (int i = 1; i < count; i++) {
    bool known = true;
    if (strcmp(words[i], "random") == 0) {
      o.random = true;
    } else if (strcmp(words[i], "broken") == 0) {
      o.broken = true;
    } else {
      known = false;
      unsigned long long n;
      for (const auto& number : numbers)
        if (sscanf(words[i], number.format, &n) == 1) *number.value = n, known = true;
    }
    if (!known) fprintf(stderr, "%s: %s?\n", words[0], words[i]), exit(2);
  }
  CHECK(o.workers <= workers_max);
  random_state = o.seed;
  return o;
}

uint64_t run_storm(const Storm& storm) {
  const auto workers = static_cast<uint32_t>(storm.options.workers);
  std::vector<pid_t> pids(workers);
  std::vector<int64_t> started(workers);
  uint64_t kills = 0;
  while (!enough(storm.options, kills) && storm.goes_on()) {
    for (uint32_t i = 0; i < workers; i++)
      if (pids[i] == 0) pids[i] = start(storm, i), started[i] = platform::monotonic_now();
    const timespec nap{0, static_cast<long>(below(400'000))};
    nanosleep(&nap, nullptr);
    // One whose point does not come dies by our hand, so that nothing stands still.
    const uint32_t victim = storm.mortal_from + below(workers - storm.mortal_from);
    if (pids[victim] != 0 && platform::monotonic_now() - started[victim] > int64_t{below(20)} * kMs)
      kill(pids[victim], SIGKILL);
    for (int status; const pid_t pid = waitpid(-1, &status, WNOHANG);) {
      if (pid < 0) break;
      CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
      for (pid_t& p : pids)
        if (p == pid) p = 0;
      kills++;
      if (below(8) == 0) storm.sweep();
    }
  }
  for (const pid_t pid : pids)
    if (pid != 0) kill(pid, SIGKILL), waitpid(pid, nullptr, 0), kills++;
  storm.sweep();
  return kills;
}

uint64_t missed_points(const Options& options) {
  if (options.random || options.broken) return 0;
  uint64_t fewest = 0;
  pick_point(&fewest);
  print_points();
  if (fewest >= options.points) return 0;
  fprintf(stderr, "a point was hit %llu times only\n", printable(fewest));
  return 1;
}

}  // namespace mp::test
