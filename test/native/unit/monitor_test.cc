// Monitors, one step after the other: two participants of one thread, in the tree's arena and beside each other in that of a
// named one. What happens at the same time, or in the middle, is the explorations' (fake/) and the storm's.
#include "core/monitor.h"

#include <sys/wait.h>
#include <unistd.h>

#include "core/named_lock.h"
#include "core/rwlock.h"
#include "core/semaphore.h"
#include "support/monitors.h"

using namespace mp;
using namespace mp::test;

TEST("monitor: a seat is an object of its participant's, and goes with leave or close") {
  Table t(kSemaphore);
  semaphore_init(t.monitor(), 1, 0);
  const uint32_t before = census(t.arena).objects;
  const Desk a = t.sit(), b = t.sit();
  CHECK(census(t.arena).objects == before + 2 && t.seats() == 2);
  CHECK(a.seat.owner == a.me && b.seat.owner == b.me);
  t.leave(a);
  CHECK(t.seats() == 1 && census(t.arena).objects == before + 1);
  CHECK(semaphore_try(b) == Grant::granted);
  participant_leave(t.arena, b.me);
  CHECK(t.seats() == 0 && census(t.arena).objects == before && semaphore_fields(t.monitor()).available == 1);
}

TEST("monitor: in a named one the seats lie beside their participants") {
  Table t(kSemaphore, true);
  semaphore_init(t.monitor(), 1, 0);
  const Desk a = t.sit(), b = t.sit();
  CHECK(&a.seat == &seat_beside(t.arena, owner_slot(a.me)) && t.seats() == 2);
  CHECK(semaphore_try(a) == Grant::granted && semaphore_enter(b) == Grant::waits);
  participant_leave(t.arena, a.me);
  CHECK(t.seats() == 1 && semaphore_collect(b) == Grant::told);
  participant_leave(t.arena, b.me);
  CHECK(t.seats() == 0 && t.monitor().latch == 0);
}

TEST("monitor: what a killed process held comes back, and the latch it died in is repaired") {
  for (const bool named : {false, true}) {
    Table t(kSemaphore, named);
    semaphore_init(t.monitor(), 2, 0);
    const Desk a = t.sit();
    const pid_t child = fork();
    if (child == 0) {
      const Desk c = t.sit();
      if (semaphore_try(c) != Grant::granted) _exit(1);
      uint32_t word = 0;
      c.monitor.latch.compare_exchange_strong(word, c.me);
      c.seat.hold.store(c.seat.hold + 1);  // JavaScript's fast path, half way
      kill(getpid(), SIGKILL);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    CHECK(semaphore_try(a) == Grant::told);  // over the dead one's latch
    CHECK(semaphore_try(a) == Grant::told && semaphore_try(a) == Grant::waits);
    participants_sweep(t.arena);
    CHECK(t.seats() == 1 && semaphore_fields(t.monitor()).total == 2);
    participant_leave(t.arena, a.me);
  }
}

TEST("semaphore: units go in the order of tickets, and nobody overtakes") {
  Table t(kSemaphore);
  semaphore_init(t.monitor(), 1, 0);
  const Desk a = t.sit(), b = t.sit(), c = t.sit();
  CHECK(semaphore_enter(a) == Grant::granted);
  CHECK(semaphore_enter(b) == Grant::waits && semaphore_enter(c) == Grant::waits);
  CHECK(semaphore_collect(b) == Grant::waits);
  CHECK(semaphore_release(a) && t.rung(b) && !t.rung(c));
  CHECK(semaphore_try(a) == Grant::waits);
  CHECK(semaphore_collect(b) == Grant::granted && semaphore_collect(b) == Grant::waits);
  CHECK(semaphore_release(b) && t.rung(c) && semaphore_collect(c) == Grant::granted);
  CHECK(semaphore_release(c) && !semaphore_release(c));
  CHECK(semaphore_fields(t.monitor()).available == 1 && t.monitor().waiting == 0);
}

TEST("semaphore: who withdraws too late has a unit; in time, none") {
  Table t(kSemaphore);
  semaphore_init(t.monitor(), 1, 0);
  const Desk a = t.sit(), b = t.sit();
  CHECK(semaphore_try(a) == Grant::granted && semaphore_enter(b) == Grant::waits);
  CHECK(semaphore_withdraw(b) == Grant::waits && t.monitor().waiting == 0);
  CHECK(semaphore_enter(b) == Grant::waits && semaphore_release(a));
  CHECK(semaphore_withdraw(b) == Grant::granted && semaphore_fields(t.monitor()).available == 0);
  CHECK(semaphore_release(b));
}

TEST("semaphore: a unit that is not collected is passed on to who waits, and its seat stands in line again") {
  Table t(kSemaphore);
  semaphore_init(t.monitor(), 1, 0);
  const Desk a = t.sit(), b = t.sit(), c = t.sit();
  CHECK(semaphore_try(a) == Grant::granted && semaphore_enter(b) == Grant::waits);
  CHECK(!semaphore_pass_on(b));                          // nothing granted
  CHECK(semaphore_release(a) && !semaphore_pass_on(b));  // nobody else waits
  CHECK(semaphore_enter(c) == Grant::waits && semaphore_pass_on(b));
  CHECK(semaphore_collect(b) == Grant::waits && !t.rung(b) && semaphore_collect(c) == Grant::granted);
  CHECK(semaphore_release(c) && semaphore_collect(b) == Grant::granted);
}

TEST("semaphore: news of a death is told once, and not lost by passing on or giving back untold") {
  Table t(kSemaphore);
  semaphore_init(t.monitor(), 2, 0);
  const Desk a = t.sit(), b = t.sit(), c = t.sit();
  CHECK(semaphore_try(a) == Grant::granted && semaphore_try(b) == Grant::granted);
  participant_leave(t.arena, a.me);  // holding it: as if it had died
  CHECK(semaphore_try(c) == Grant::told && semaphore_release(c, true));
  CHECK(semaphore_try(c) == Grant::told && semaphore_release(c));
  CHECK(semaphore_try(c) == Grant::granted && semaphore_enter(c) == Grant::waits);
  participant_leave(t.arena, b.me);
  CHECK(semaphore_withdraw(c) == Grant::told);
}

TEST("semaphore: with a bound the total never exceeds it (S5)") {
  Table t(kSemaphore);
  semaphore_init(t.monitor(), 2, 3);
  const Desk a = t.sit(), b = t.sit();
  SemaphoreFields& f = semaphore_fields(t.monitor());
  uint32_t own;
  CHECK(!semaphore_post(a, 1, &own));
  CHECK(semaphore_try(a) == Grant::granted && semaphore_post(a, 1, &own) && own == 1 && f.available == 2);
  CHECK(semaphore_try(a) == Grant::granted);
  CHECK(semaphore_post(b, 1, &own) && own == 0 && f.total == 2 && f.available == 2);  // a's
  CHECK(!semaphore_release(a) && !semaphore_post(b, 1, &own));
  CHECK(semaphore_try(a) == Grant::granted);
  semaphore_consume(a);
  CHECK(f.total == 1 && f.available == 1 && semaphore_post(b, 1, &own) && f.total == 2);
  CHECK(!semaphore_post(b, 1, &own) && f.available == 2);
}

TEST("semaphore: without one it grows, to Python's limit") {
  Table t(kSemaphore);
  semaphore_init(t.monitor(), 0, 0);
  const Desk a = t.sit(), b = t.sit();
  uint32_t own;
  CHECK(semaphore_enter(a) == Grant::waits && semaphore_post(b, 3, &own) && t.rung(a));
  CHECK(semaphore_collect(a) == Grant::granted && semaphore_fields(t.monitor()).available == 2);
  CHECK(!semaphore_post(b, INT32_MAX, &own) && semaphore_fields(t.monitor()).total == 3);
}

TEST("rwlock: readers together, a writer alone, and no reader past one that waits") {
  Table t(kRWLock);
  const Desk a = t.sit(), b = t.sit(), c = t.sit();
  RWLockFields& f = rwlock_fields(t.monitor());
  CHECK(rwlock_try(a, false) == Grant::granted && rwlock_try(b, false) == Grant::granted && f.readers == 2);
  CHECK(rwlock_enter(c, true) == Grant::waits && rwlock_try(a, false) == Grant::waits);
  CHECK(rwlock_release(a, false) && !t.rung(c) && rwlock_enter(a, false) == Grant::waits);
  CHECK(rwlock_release(b, false) && t.rung(c) && rwlock_collect(c) == Grant::granted && f.writer == c.me);
  CHECK(rwlock_enter(b, false) == Grant::waits && rwlock_release(c, true));
  CHECK(rwlock_collect(a) == Grant::granted && rwlock_collect(b) == Grant::granted && f.readers == 2);
  CHECK(!rwlock_release(a, true) && rwlock_release(a, false) && rwlock_release(b, false));
  CHECK(!rwlock_release(b, false) && f.readers == 0);
}

TEST("rwlock: a writer that withdraws lets those in who stood behind it; too late, it is in") {
  Table t(kRWLock);
  const Desk a = t.sit(), b = t.sit(), c = t.sit();
  CHECK(rwlock_try(a, false) == Grant::granted && rwlock_enter(b, true) == Grant::waits);
  CHECK(rwlock_enter(c, false) == Grant::waits && rwlock_withdraw(b) == Grant::waits);
  CHECK(t.rung(c) && rwlock_collect(c) == Grant::granted && rwlock_release(c, false));
  CHECK(rwlock_enter(b, true) == Grant::waits && rwlock_release(a, false));
  CHECK(rwlock_withdraw(b) == Grant::granted && rwlock_release(b, true));
}

TEST("rwlock: who does not collect makes room for others") {
  Table t(kRWLock);
  const Desk a = t.sit(), b = t.sit(), c = t.sit();
  CHECK(rwlock_try(a, true) == Grant::granted && rwlock_enter(b, true) == Grant::waits);
  CHECK(rwlock_enter(c, false) == Grant::waits && rwlock_release(a, true) && rwlock_pass_on(b));
  CHECK(rwlock_collect(b) == Grant::waits && rwlock_collect(c) == Grant::granted && rwlock_release(c, false));
  CHECK(rwlock_collect(b) == Grant::granted && rwlock_release(b, true));
}

TEST(
    "rwlock: a dead writer's news are told to readers until a writer is told; a dead reader's to nobody "
    "(R4)") {
  Table t(kRWLock);
  const Desk a = t.sit(), b = t.sit(), c = t.sit();
  CHECK(rwlock_try(a, false) == Grant::granted);
  participant_leave(t.arena, a.me);
  CHECK(rwlock_try(b, true) == Grant::granted);
  participant_leave(t.arena, b.me);
  CHECK(rwlock_try(c, false) == Grant::told && rwlock_release(c, false));
  CHECK(rwlock_try(c, false) == Grant::told && rwlock_release(c, false));
  CHECK(rwlock_try(c, true) == Grant::told && rwlock_release(c, true, true));
  CHECK(rwlock_try(c, true) == Grant::told && rwlock_release(c, true));
  CHECK(rwlock_try(c, true) == Grant::granted && rwlock_release(c, true));
}

TEST("rwlock: who steals is in before all, and the others hear of it (R5)") {
  Table t(kRWLock);
  const Desk a = t.sit(), b = t.sit(), c = t.sit();
  CHECK(rwlock_try(a, false) == Grant::granted && rwlock_enter(b, true) == Grant::waits);
  const uint32_t before = a.seat.notified;
  CHECK(rwlock_steal(c) == Grant::granted && a.seat.notified == before + 1);
  CHECK(t.rung(a) && !t.rung(b) && !rwlock_release(a, false));
  CHECK(rwlock_release(c, true) && rwlock_collect(b) == Grant::granted && rwlock_release(b, true));
}
