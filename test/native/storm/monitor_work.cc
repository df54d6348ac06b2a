#include "storm/monitor_work.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <signal.h>

#include "core/barrier.h"
#include "core/bell.h"
#include "core/condition.h"
#include "core/event.h"
#include "core/point.h"
#include "core/rwlock.h"
#include "core/semaphore.h"
#include "storm/points.h"

using namespace mp;
using namespace mp::test;

namespace {

/// A worker's life: who it is in both arenas, and its seats.
struct Life {
  OwnerId me, named_me;
  uint32_t seats[kObjects];
  bool survivor;
  Desk desk(Which w) const {
    return {tree, objects[w], monitor_at(tree, objects[w]), seat_at(tree, seats[w]), me};
  }
  Desk named_desk() const {
    return {named, 0, monitor_at(named, 0), seat_beside(named, owner_slot(named_me)), named_me};
  }
};

void note_wait(const Life& life, int64_t since) {
  const auto n = static_cast<uint64_t>(platform::monotonic_now() - since);
  if (!life.survivor) return;
  uint64_t longest = shared->longest;
  while (n > longest && !shared->longest.compare_exchange_weak(longest, n)) {
  }
  if (n >= static_cast<uint64_t>(kStuckNs)) shared->stuck++;
}

bool wait_bell(const Desk& d, int64_t deadline) {
  return bell_wait({d.arena, d.index, d.seat.bell, d.seat.heard.load(std::memory_order_relaxed), d.me},
                   deadline, nullptr) == Outcome::acquired;
}

/// Waits in a line, gives up, or passes on what it was granted as a busy environment's waiter thread does.
Grant stand(const Life& life, const Desk& d, bool semaphore, bool write) {
  const int64_t since = platform::monotonic_now();
  // Who is to die while giving up gives up, at once.
  const char* const line = semaphore ? "semaphore.withdrawn" : "rwlock.withdrawn";
  const bool dies = dies_at(line), patient = !dies && below(6) != 0;
  Grant got = semaphore ? semaphore_enter(d) : rwlock_enter(d, write);
  while (got == Grant::waits) {
    if (!wait_bell(d, patient ? since + kStuckNs : since + below(dies ? 20'000 : 2'000'000))) {
      got = semaphore ? semaphore_withdraw(d) : rwlock_withdraw(d);
      break;
    }
    if ((dies_at(semaphore ? "semaphore.passed_on" : "rwlock.passed_on") || below(6) == 0) &&
        (semaphore ? semaphore_pass_on(d) : rwlock_pass_on(d)))
      continue;
    got = semaphore ? semaphore_collect(d) : rwlock_collect(d);
  }
  if (patient) note_wait(life, since);
  if (got != Grant::waits) shared->granted++;
  if (got == Grant::told) shared->told++;
  return got;
}

/// Nobody else may touch the cell while we are inside.
void alone(Cell& c, OwnerId me, bool told) {
  if (c.before != c.after) {
    if (!told) shared->untold++;
    c.after = c.before;
  }
  c.owner = me;
  c.before = c.before + 1;
  for (uint32_t i = 0, n = below(300); i < n; i++) {
    if (c.owner == me) continue;
    shared->intruders++;
    break;
  }
  MP_POINT("storm.inside");
  if (c.owner != me) shared->intruders++;
  c.after = c.after + 1;
}

/// Whether a process is dead, or dying and past its last instruction.
bool is_gone(uint32_t pid) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%u/stat", pid);
  FILE* f = fopen(path, "r");
  if (f == nullptr) return true;
  text[fread(text, 1, sizeof text - 1, f)] = 0;
  fclose(f);
  const char* at = strrchr(text, ')');
  char state = 'Z';
  unsigned flags = 0;
  if (at != nullptr) sscanf(at + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags);
  return state == 'Z' || state == 'X' || (flags & 4) != 0;  // PF_EXITING
}

/// Finds a place among those who use the units: there must be one that is free, or whose user is dead.
void use_unit() {
  const uint32_t me = platform::process_id();
  for (int round = 0; round < 2; round++) {
    for (auto& user : shared->unit_users) {
      uint32_t u = user;
      if ((u == 0 || (round == 1 && is_gone(u))) && user.compare_exchange_strong(u, me)) {
        for (uint32_t i = 0, n = below(200); i < n; i++) platform::pause();
        MP_POINT("storm.with_unit");
        user = 0;
        return;
      }
    }
  }
  shared->overgranted++;
}

void use_semaphore(const Life& life, const Desk& d, Cell* cell) {
  const Grant got = below(5) == 0 ? semaphore_try(d) : stand(life, d, true, false);
  if (got == Grant::waits) return;
  if (cell != nullptr)
    alone(*cell, d.me, got == Grant::told);
  else
    use_unit();
  semaphore_release(d);
}

void use_loose(const Desk& d) {
  const Grant got = semaphore_try(d);
  uint32_t own;
  if (below(2) == 0) semaphore_post(d, 1, &own);
  if (got != Grant::waits) below(2) == 0 ? semaphore_consume(d) : void(semaphore_release(d));
}

void use_readers(const Life& life) {
  const Desk d = life.desk(kReaders);
  const bool write = below(3) == 0;
  const Grant got = below(5) == 0 ? rwlock_try(d, write) : stand(life, d, false, write);
  if (got == Grant::waits) return;
  Cell& c = shared->cells[2];
  if (write) {
    alone(c, d.me, got == Grant::told);
  } else {
    const uint64_t before = c.before;
    if (before != c.after && got != Grant::told) shared->untold++;
    for (uint32_t i = 0, n = below(200); i < n; i++) platform::pause();
    MP_POINT("storm.reading");
    if (c.before != before) shared->intruders++;
  }
  rwlock_release(d, write);
}

void use_store(const Life& life) {
  const Desk d = life.desk(kStore);
  Slot& guard = tree.slot(objects[kGuard]);
  const auto acquire = [&] {
    if (lock_acquire(tree, guard, d.me, INT64_MAX, nullptr) == Outcome::abandoned) condition_notify(d, 1000);
  };
  acquire();
  if (shared->items < 3 && below(2) == 0) {
    shared->items++;
    shared->notified += condition_notify(d, 1 + below(2));
  } else {
    const int64_t since = platform::monotonic_now();
    while (shared->items == 0) {
      condition_enter(d);
      lock_release(tree, guard, d.me);
      wait_bell(d, since + kStuckNs);
      acquire();
      const bool notified = condition_done(d, true, 0);
      if (!notified) condition_done(d, false, 0);
      shared->woken += notified;
      if (platform::monotonic_now() - since >= kStuckNs) break;
    }
    note_wait(life, since);
    if (shared->items > 0) shared->items--;
  }
  lock_release(tree, guard, d.me);
}

/// Whether nobody has had that index of the phase.
bool first_with(uint32_t phase, uint32_t bit) {
  auto& cell = shared->phases[phase % kPhases];
  uint32_t c = cell, next;
  do {
    const uint32_t bits = c >> 2 == phase ? c & 3 : 0;
    if (bits & bit) return false;
    next = phase << 2 | bits | bit;
  } while (!cell.compare_exchange_weak(c, next));
  return true;
}

void use_gate(const Life& life) {
  const Desk d = life.desk(kGate);
  const int64_t since = platform::monotonic_now();
  uint32_t phase;
  Arrival a;
  while ((a = barrier_arrive(d, &phase)) == Arrival::outside) {
    wait_bell(d, since + kStuckNs);
    barrier_collect(d);
    note_wait(life, since);
  }
  if (a == Arrival::broken) return barrier_reset(d);
  if (a == Arrival::act) below(10) == 0 ? barrier_break(d, phase) : void(barrier_trip(d, phase));
  BarrierSeat b;
  while ((b = barrier_collect(d)).outcome == BarrierOutcome::arrived) {
    if (wait_bell(d, since + below(20) * kMs)) continue;
    if (below(2) == 0 && barrier_withdraw(d)) return;
    barrier_break(d, phase);
  }
  if (b.outcome != BarrierOutcome::tripped) {
    shared->broken++;
    return;
  }
  shared->tripped++;
  if (b.base > 1 || b.parties != 1 || !first_with(b.phase, 1u << b.base)) shared->twice++;
}

void use_flag(const Life& life) {
  Slot& slot = tree.slot(objects[kFlag]);
  if (below(3) == 0) {
    shared->sets += event_set(slot);
  } else if (below(2) == 0) {
    event_clear(slot);
  } else if (const uint32_t from = event_word(slot).load(); !event_set_in(from)) {
    const int64_t since = platform::monotonic_now();
    bell_wait(event_wait(tree, objects[kFlag], from, life.me), since + kStuckNs, nullptr);
    note_wait(life, since);
  }
}

}  // namespace

void mp::test::work(uint32_t number, const char* point_name, uint32_t after) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  die_at_point(point_name, after);
  for (;;) {
    Life life{};
    life.survivor = number == 0;
    life.me = test::enter(tree);
    life.named_me = test::enter(named);
    for (uint32_t w = 0; w < kObjects; w++) {
      CHECK(test::open(tree, life.me, objects[w], generations[w], kKinds[w]));
      if (is_monitor(kKinds[w])) CHECK(!monitor_join(tree, objects[w], life.me, &life.seats[w]));
    }
    uint32_t unused;
    CHECK(!monitor_join(named, 0, life.named_me, &unused));
    for (uint32_t i = 0, n = 20 + below(100); i < n; i++) {
      switch (below(9)) {
        case 0:
          use_semaphore(life, life.desk(kOne), &shared->cells[0]);
          break;
        case 1:
          use_semaphore(life, life.named_desk(), &shared->cells[1]);
          break;
        case 2:
          use_semaphore(life, life.desk(kThree), nullptr);
          break;
        case 3:
          use_loose(life.desk(kLoose));
          break;
        case 4:
          use_store(life);
          break;
        case 5:
          use_gate(life);
          break;
        case 6:
          use_flag(life);
          break;
        default:
          use_readers(life);
      }
    }
    for (uint32_t w = 0; w < kObjects && below(2) == 0; w++)
      if (is_monitor(kKinds[w])) monitor_leave(tree, objects[w], life.me, life.seats[w]);
    participant_leave(named, life.named_me);
    participant_leave(tree, life.me);
  }
}
