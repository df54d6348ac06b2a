// Monitors under ThreadSanitizer, as threads.cc: what a semaphore's one unit, a writer, a condition's lock and a barrier's
// phases protect are plain cells, so that a missing order is reported as a race. Threads end without leaving, and are swept.
#include <stdio.h>

#include <thread>
#include <vector>

#include "core/barrier.h"
#include "core/bell.h"
#include "core/condition.h"
#include "core/point.h"
#include "core/rwlock.h"
#include "core/semaphore.h"
#include "support/arena.h"

using namespace mp;
using namespace mp::test;

void mp::test::at_point(const char*) {
  static thread_local uint32_t n;
  if (++n % 64 == 0) platform::yield();  // two threads on one core would hardly meet
}

namespace {

constexpr int kThreads = 4, kLives = 12, kRounds = 600;

Arena arena;
enum Which { kUnit, kReaders, kStore, kGate, kGuard, kObjects };
constexpr uint32_t kKinds[kObjects] = {kSemaphore, kRWLock, kCondition, kBarrier, kLock};
uint32_t objects[kObjects];
// Plain: the monitors must order them.
uint64_t units, writes, items, produced, consumed, phases;
uint64_t sections[kThreads], written[kThreads], passed[kThreads];

bool wait_bell(const Desk& d, int64_t deadline) {
  return bell_wait({d.arena, d.index, d.seat.bell, d.seat.heard.load(std::memory_order_relaxed), d.me},
                   deadline, nullptr) == Outcome::acquired;
}

bool stand(const Desk& d, bool write, uint32_t random) {
  const bool semaphore = d.index == objects[kUnit];
  if (random % 8 == 0) return (semaphore ? semaphore_try(d) : rwlock_try(d, write)) != Grant::waits;
  const int64_t deadline = random % 8 == 1 ? in(200'000) : in(10 * kSecond);
  bool busy = random % 8 == 2;  // once: if all always passed on, nobody would get anything
  Grant got = semaphore ? semaphore_enter(d) : rwlock_enter(d, write);
  while (got == Grant::waits) {
    if (!wait_bell(d, deadline)) {
      CHECK(random % 8 == 1);
      return (semaphore ? semaphore_withdraw(d) : rwlock_withdraw(d)) != Grant::waits;
    }
    if (busy && (semaphore ? semaphore_pass_on(d) : rwlock_pass_on(d))) {
      busy = false;
      continue;
    }
    got = semaphore ? semaphore_collect(d) : rwlock_collect(d);
  }
  return true;
}

void use_unit(int number, const Desk& d, uint32_t random) {
  if (!stand(d, false, random)) return;
  units++, sections[number]++;
  CHECK(semaphore_release(d));
}

void use_readers(int number, const Desk& d, uint32_t random) {
  const bool write = random / 8 % 3 == 0;
  if (!stand(d, write, random)) return;
  if (write)
    writes++, written[number]++;
  else
    CHECK(writes < ~uint64_t{0});
  CHECK(rwlock_release(d, write));
}

void use_store(const Desk& d, uint32_t random) {
  Slot& guard = arena.slot(objects[kGuard]);
  const auto acquire = [&] {
    CHECK(lock_acquire(arena, guard, d.me, in(10 * kSecond), nullptr) <= Outcome::abandoned);
  };
  acquire();
  if (random % 2 == 0) {
    items++, produced++;
    condition_notify(d, 1);
  } else {
    const int64_t deadline = in(2 * kMs);
    bool in_time = true;
    while (items == 0 && in_time) {
      condition_enter(d);
      CHECK(lock_release(arena, guard, d.me));
      in_time = wait_bell(d, deadline);
      acquire();
      if (!condition_done(d, true, 0)) CHECK(condition_done(d, false, 0));
    }
    if (items > 0) items--, consumed++;
  }
  CHECK(lock_release(arena, guard, d.me));
}

/// Two parties: the one with index 0 writes between two barriers, so that the others' reads are ordered by the barrier only.
void use_gate(int number, const Desk& d) {
  uint32_t phase;
  Arrival a;
  const int64_t deadline = in(5 * kMs);
  while ((a = barrier_arrive(d, &phase)) == Arrival::outside) {
    wait_bell(d, in(10 * kSecond));
    barrier_collect(d);
  }
  if (a == Arrival::broken) return barrier_reset(d);
  if (a == Arrival::act) {
    phases++;  // nobody else is past the barrier
    barrier_trip(d, phase);
  }
  BarrierSeat b;
  while ((b = barrier_collect(d)).outcome == BarrierOutcome::arrived)
    if (!wait_bell(d, deadline) && barrier_withdraw(d)) return;
  passed[number] += b.outcome == BarrierOutcome::tripped;
}

void live(int number, uint32_t life) {
  const OwnerId me = enter(arena);
  uint32_t seats[kObjects];
  const auto desk = [&](Which w) {
    return Desk{arena, objects[w], monitor_at(arena, objects[w]), seat_at(arena, seats[w]), me};
  };
  for (uint32_t w = 0; w < kObjects; w++) {
    CHECK(open(arena, me, objects[w], generation_of(arena, objects[w]), kKinds[w]));
    if (w != kGuard) CHECK(!monitor_join(arena, objects[w], me, &seats[w]));
  }
  uint32_t random = 2654435761u * static_cast<uint32_t>(number + 1) + life * 40503u;
  for (int i = 0; i < kRounds; i++) {
    random = random * 1664525 + 1013904223;
    const uint32_t r = random >> 8;
    switch (r % 8) {
      case 0:
        use_gate(number, desk(kGate));
        break;
      case 1:
      case 2:
        use_store(desk(kStore), r >> 4);
        break;
      case 3:
      case 4:
        use_readers(number, desk(kReaders), r >> 4);
        break;
      default:
        use_unit(number, desk(kUnit), r >> 4);
    }
  }
  if (life % 3 != 0) return participant_leave(arena, me);
  // A thread that ends without leaving. It may do so with a unit.
  semaphore_try(desk(kUnit));
}

}  // namespace

int main() {
  arena = make_arena();
  const OwnerId keeper = enter(arena);
  for (uint32_t w = 0; w < kObjects; w++) objects[w] = create(arena, keeper, kKinds[w]);
  semaphore_init(monitor_at(arena, objects[kUnit]), 1, 0);
  monitor_at(arena, objects[kGate]).detail = 2 | kBarrierActs;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; t++)
    threads.emplace_back([t] {
      for (uint32_t life = 0; life < kLives; life++) std::thread(live, t, life).join();
    });
  for (std::thread& t : threads) t.join();
  participants_sweep(arena);
  uint64_t expected[3] = {};
  for (int t = 0; t < kThreads; t++)
    expected[0] += sections[t], expected[1] += written[t], expected[2] += passed[t];
  CHECK(units == expected[0] && writes == expected[1] && produced == consumed + items);
  CHECK(phases * 2 == expected[2]);
  const SemaphoreFields& f = semaphore_fields(monitor_at(arena, objects[kUnit]));
  CHECK(f.available == 1 && f.total == 1 && rwlock_fields(monitor_at(arena, objects[kReaders])).readers == 0);
  CHECK(census(arena).objects == kObjects && census(arena).participants == 1);
  printf("monitors: %llu units, %llu writes, %llu items, %llu phases of %d lives, totals exact\n",
         static_cast<unsigned long long>(units), static_cast<unsigned long long>(writes),
         static_cast<unsigned long long>(produced), static_cast<unsigned long long>(phases),
         kThreads * kLives);
}
