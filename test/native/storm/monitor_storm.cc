// Kills processes by the ten thousand while they use the monitors of one arena, a named semaphore's and an event, and
// looks for what that must not do: a writer that is not alone, more units in use than there are, an index given twice, a
// wait without end, a death nobody was told of, sums that are not the seats', a seat or slot left behind.
//
//   monitor_storm [kills=N] [workers=N] [points=MIN] [random] [broken] [seed=N]      as storm.cc
//
// Worker 0 is never killed: it is the one whose waits must end. With `broken` nobody counts a semaphore's units again
// after a death: the detector must fire (see broken_settle.cc).
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include <iterator>

#include "core/barrier.h"
#include "core/named_lock.h"
#include "core/rwlock.h"
#include "core/semaphore.h"
#include "generated/monitor_points.h"
#include "storm/monitor_work.h"
#include "storm/points.h"
#include "storm/storm.h"

using namespace mp;
using namespace mp::test;

namespace mp::test {
bool broken_settle = false;
}

namespace {

/// Who steals takes from all: nothing would be exclusive. The fake scheduler goes there instead. Who retires is the last
/// user of a name: test/sync/locks.test.ts.
constexpr const char* kRare[] = {"rwlock.stolen", "rwlock.retired", nullptr};

// ---- The parent --------------------------------------------------------------------------------------------------------

struct Options {
  uint64_t kills = 2000, workers = 4, points = 0, seed = 1;
  bool random = false, broken = false;
} options;

void parse(int count, char** words) {
  for (int i = 1; i < count; i++) {
    unsigned long long n = 0;
    if (sscanf(words[i], "kills=%llu", &n) == 1)
      options.kills = n;
    else if (sscanf(words[i], "workers=%llu", &n) == 1)
      options.workers = n;
    else if (sscanf(words[i], "points=%llu", &n) == 1)
      options.points = n;
    else if (sscanf(words[i], "seed=%llu", &n) == 1)
      options.seed = n;
    else if (strcmp(words[i], "random") == 0)
      options.random = true;
    else if (strcmp(words[i], "broken") == 0)
      options.broken = true;
    else
      fprintf(stderr, "monitor_storm: %s?\n", words[i]), exit(2);
  }
}

pid_t start(uint32_t number) {
  uint64_t fewest;
  const char* name = number != 0 && !options.random && below(4) != 0 ? pick_point(&fewest) : nullptr;
  const uint32_t after = below(2) * below(4);
  next_random();
  const pid_t pid = fork();
  if (pid == 0) work(number, name, after);
  CHECK(pid > 0);
  return pid;
}

bool enough(uint64_t kills) {
  uint64_t fewest = 0;
  pick_point(&fewest);
  return kills >= options.kills && (fewest >= options.points || kills > options.kills * 20 + 20'000);
}

/// What must be so when everybody is gone: nothing held, nobody waiting, no seat but ours. Returns how much is not.
uint64_t look_at(const Arena& arena, uint32_t index, OwnerId me, uint32_t kind, uint32_t units) {
  uint64_t bad = 0;
  const auto must = [&](bool so, const char* what) {
    if (!so) fprintf(stderr, "object %u of kind %u: %s\n", index, kind, what), bad++;
  };
  Monitor& m = monitor_at(arena, index);
  uint32_t seat = 0;
  CHECK(!monitor_join(arena, index, me, &seat));
  must(m.waiting == 0, "somebody waits");
  uint32_t seats = 0;
  {
    const Latched latched(arena, index, me);
    each_seat(arena, m, [&](Seat&) { return ++seats != 0; });
  }
  must(seats == 1, "seats are left behind");
  const Desk d{arena, index, m,
               arena.plan->has_objects ? seat_at(arena, seat) : seat_beside(arena, owner_slot(me)), me};
  if (kind == kSemaphore) {
    const SemaphoreFields& f = semaphore_fields(m);
    must(f.available == f.total && f.total <= units, "units are missing");
    must(units == kLooseUnits || f.total == units, "the total has changed");
  }
  if (kind == kRWLock) must(rwlock_try(d, true) != Grant::waits && rwlock_release(d, true), "it is held");
  if (kind == kBarrier) must(barrier_fields(m).arrived == 0, "somebody has come");
  monitor_leave(arena, index, me, seat);
  must(m.latch == 0, "the latch is held");
  return bad;
}

constexpr uint32_t units_of(uint32_t which) {
  return which == kOne ? 1 : which == kThree ? kUnits : kLooseUnits;
}

OwnerId prepare() {
  tree = make_arena();
  const OwnerId keeper = test::enter(tree);
  named.plan = &kNamedLockPlan;
  named.kind = kSemaphore;
  void* base;
  CHECK(!platform::memory_create("multiproc-test", kNamedLockBytes, &named.fd));
  CHECK(!platform::memory_reserve(named.fd, 0, 2 * kPage));
  CHECK(!platform::memory_map(named.fd, kNamedLockBytes, &base));
  named.base = static_cast<unsigned char*>(base);
  semaphore_init(monitor_at(named, 0), 1, 0);
  for (uint32_t w = 0; w < kObjects; w++) {
    objects[w] = create(tree, keeper, kKinds[w]);
    generations[w] = generation_of(tree, objects[w]);
    Monitor& m = monitor_at(tree, objects[w]);
    if (kKinds[w] == kSemaphore) semaphore_init(m, units_of(w), w == kLoose ? kLooseUnits + 1 : 0);
    if (kKinds[w] == kBarrier) m.detail = 2 | kBarrierActs;
  }
  return keeper;
}

}  // namespace

int main(int count, char** words) {
  parse(count, words);
  random_state = options.seed;
  points_yield = true;
  broken_settle = options.broken;
  void* at = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(at != MAP_FAILED && options.workers <= kSlots);
  shared = static_cast<Shared*>(at);
  points_prepare(kPointNames, std::size(kPointNames), kRare);
  const OwnerId keeper = prepare();

  const int64_t began = platform::monotonic_now();
  pid_t pids[kSlots] = {};
  int64_t started[kSlots] = {};
  uint64_t kills = 0, bad = 0;
  while (!enough(kills) && shared->stuck == 0) {
    for (uint32_t i = 0; i < options.workers; i++)
      if (pids[i] == 0) pids[i] = start(i), started[i] = platform::monotonic_now();
    const timespec nap{0, static_cast<long>(below(400'000))};
    nanosleep(&nap, nullptr);
    // One whose point does not come dies by our hand, so that nothing stands still.
    const uint32_t victim = 1 + below(static_cast<uint32_t>(options.workers) - 1);
    if (pids[victim] != 0 && platform::monotonic_now() - started[victim] > int64_t{below(20)} * kMs)
      kill(pids[victim], SIGKILL);
    for (int status; const pid_t pid = waitpid(-1, &status, WNOHANG);) {
      if (pid < 0) break;
      CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
      for (pid_t& p : pids)
        if (p == pid) p = 0;
      kills++;
      if (below(8) == 0) participants_sweep(tree);
    }
  }
  for (const pid_t pid : pids)
    if (pid != 0) kill(pid, SIGKILL), waitpid(pid, nullptr, 0), kills++;
  participants_sweep(tree);
  participants_sweep(named);

  const OwnerId me = test::enter(named);
  bad += look_at(named, 0, me, kSemaphore, 1);
  participant_leave(named, me);
  for (uint32_t w = 0; w < kObjects; w++)
    if (is_monitor(kKinds[w])) bad += look_at(tree, objects[w], keeper, kKinds[w], units_of(w));
  for (const uint32_t index : objects) test::close(tree, keeper, index);
  if (census(tree).objects != 0 || census(tree).participants != 1 || census(named).participants != 0)
    fprintf(stderr, "left behind: %u objects, %u and %u participants\n", census(tree).objects,
            census(tree).participants - 1, census(named).participants),
        bad++;

  uint64_t fewest = 0;
  if (!options.random && !options.broken) {
    pick_point(&fewest);
    print_points();
    if (fewest < options.points)
      fprintf(stderr, "a point was hit %llu times only\n", static_cast<unsigned long long>(fewest)), bad++;
  }
  const auto n = [](uint64_t v) { return static_cast<unsigned long long>(v); };
  const Shared& s = *shared;
  printf(
      "monitor storm: %llu kills of %llu workers in %.1f s; %llu granted, %llu told of a death, %llu "
      "notified, %llu "
      "woken, %llu indices, %llu broken, %llu sets; longest wait %.1f ms\n",
      n(kills), n(options.workers), static_cast<double>(platform::monotonic_now() - began) / 1e9,
      n(s.granted), n(s.told), n(s.notified), n(s.woken), n(s.tripped), n(s.broken), n(s.sets),
      static_cast<double>(s.longest.load()) / 1e6);
  printf(
      "monitor storm: %llu intruders, %llu units over-granted, %llu indices twice, %llu untold deaths, %llu "
      "stuck, %llu "
      "other\n",
      n(s.intruders), n(s.overgranted), n(s.twice), n(s.untold), n(s.stuck), n(bad));
  const uint64_t found = s.intruders + s.overgranted + s.twice + s.untold + s.stuck + bad;
  if (options.broken)
    printf("monitor storm: repair is broken on purpose: %s\n", found ? "detected" : "not detected");
  return (found == 0) == options.broken ? 1 : 0;
}
