// Kills processes by the ten thousand while they use the monitors of one arena, a named semaphore's and an event, and
// looks for what that must not do: a writer that is not alone, more units in use than there are, an index given twice, a
// wait without end, a death nobody was told of, sums that are not the seats', a seat or slot left behind.
//
//   monitor_storm [kills=N] [workers=N] [points=MIN] [random] [broken] [seed=N]      as storm.cc
//
// Worker 0 is never killed: it is the one whose waits must end. With `broken` nobody counts a semaphore's units again
// after a death: the detector must fire (see broken_settle.cc).
#include <sys/mman.h>

#include <iterator>

#include "core/barrier.h"
#include "core/named_lock.h"
#include "core/rwlock.h"
#include "core/semaphore.h"
#include "generated/monitor_points.h"
#include "storm/monitor_work.h"
#include "storm/parent.h"
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

Options options;

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
  options = parse_options(count, words, kSlots);
  points_yield = true;
  broken_settle = options.broken;
  void* at = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(at != MAP_FAILED);
  shared = static_cast<Shared*>(at);
  points_prepare(kPointNames, std::size(kPointNames), kRare);
  const OwnerId keeper = prepare();

  const int64_t began = platform::monotonic_now();
  const uint64_t kills = run_storm({options, work, 1, [] { return shared->stuck == 0; },
                                    [] {
                                      participants_sweep(tree);
                                      participants_sweep(named);
                                    }});

  uint64_t bad = 0;
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

  bad += missed_points(options);
  const auto n = printable;
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
