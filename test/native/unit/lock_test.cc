#include <atomic>
#include <thread>

#include "support/arena.h"

using namespace mp;
using namespace mp::test;

extern void (*mp_on_point)(const char*);

namespace {

struct Ground {
  Arena arena = make_arena();
  OwnerId a = enter(arena), b = enter(arena), c = enter(arena);  // one thread may be several participants
  uint32_t index = create(arena, a);
  Slot& slot = arena.slot(index);
  ~Ground() {
    mp_on_point = nullptr;
    drop_arena(arena);
  }
  uint32_t word() const { return slot.word.load(); }
  uint32_t claim() const { return slot.claim.load(); }
};

/// An owner that has just died: a thread that entered, took the lock, and ended.
OwnerId dead_owner(Ground& g) {
  OwnerId id = 0;
  std::thread([&] {
    id = enter(g.arena);
    CHECK(open(g.arena, id, g.index, generation_of(g.arena, g.index)));
    CHECK(lock_try(g.arena, g.slot, id) == Outcome::acquired);
  }).join();
  return id;
}

/// A waiter that has been at it for `age`, after its first step.
Contender waiting(Ground& g, OwnerId me, int64_t age, ParkPlan* plan) {
  const int64_t now = platform::monotonic_now();
  Contender c{g.arena, g.slot, me, now - age};
  CHECK(lock_step(c, now, plan) == Step::park);
  return c;
}
Step step(Contender& c) {
  ParkPlan plan;
  return lock_step(c, platform::monotonic_now(), &plan);
}

}  // namespace

TEST("lock: try, refuse, release") {
  Ground g;
  CHECK(lock_try(g.arena, g.slot, g.a) == Outcome::acquired);
  CHECK(g.word() == g.a);
  CHECK(lock_try(g.arena, g.slot, g.b) == Outcome::timed_out);
  CHECK(!lock_release(g.arena, g.slot, g.b));
  CHECK(lock_release(g.arena, g.slot, g.a));
  CHECK(g.word() == 0);
  CHECK(!lock_release(g.arena, g.slot, g.a));
}

TEST("lock: a deadline is kept, and waiting leaves no trace") {
  Ground g;
  CHECK(lock_try(g.arena, g.slot, g.a) == Outcome::acquired);
  const int64_t before = platform::monotonic_now();
  CHECK(lock_acquire(g.arena, g.slot, g.b, in(20 * kMs), nullptr) == Outcome::timed_out);
  CHECK(platform::monotonic_now() - before >= 20 * kMs);
  CHECK(g.claim() == 0);
  CHECK(lock_acquire(g.arena, g.slot, g.b, 0, nullptr) == Outcome::timed_out);
  CHECK(lock_release(g.arena, g.slot, g.a));
  CHECK(g.word() == 0);
  CHECK(lock_acquire(g.arena, g.slot, g.b, 0, nullptr) ==
        Outcome::acquired);  // free: a deadline does not matter
}

TEST("lock: an interrupt ends the wait") {
  Ground g;
  CHECK(lock_try(g.arena, g.slot, g.a) == Outcome::acquired);
  Word interrupts{0};
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    interrupts.fetch_add(1);
    platform::unpark(&interrupts, platform::kAll);
  });
  CHECK(lock_acquire(g.arena, g.slot, g.b, INT64_MAX, &interrupts) == Outcome::interrupted);
  other.join();
}

TEST("lock: a release wakes a sleeper") {
  Ground g;
  CHECK(lock_try(g.arena, g.slot, g.a) == Outcome::acquired);
  std::thread other([&] {
    const OwnerId me = enter(g.arena);
    CHECK(lock_acquire(g.arena, g.slot, me, in(5 * kSecond), nullptr) == Outcome::acquired);
    CHECK(lock_release(g.arena, g.slot, me));
    participant_leave(g.arena, me);
  });
  while (!(g.word() & kWaiters)) platform::yield();
  CHECK(lock_release(g.arena, g.slot, g.a));
  other.join();
  CHECK((g.word() & kOwnerMask) == 0);
}

TEST("lock: the death of its owner is told once") {
  Ground g;
  dead_owner(g);
  CHECK(lock_try(g.arena, g.slot, g.a) == Outcome::abandoned);
  CHECK(lock_release(g.arena, g.slot, g.a));
  CHECK(lock_try(g.arena, g.slot, g.b) == Outcome::acquired);
}

TEST("lock: the death of its owner is told after a sweep, too, and after its slot has been taken anew") {
  Ground g;
  const OwnerId dead = dead_owner(g);
  const OwnerId next = enter(g.arena);
  CHECK(owner_slot(next) == owner_slot(dead));
  CHECK((g.word() & kOwnerMask) == kAbandoned);
  CHECK(lock_acquire(g.arena, g.slot, g.a, 0, nullptr) == Outcome::abandoned);
}

TEST("lock: a waiter is woken by its owner's death, not by the ceiling") {
  Ground g;
  std::atomic<bool> holds{false}, end{false};
  std::thread owner([&] {
    const OwnerId me = enter(g.arena);
    CHECK(lock_try(g.arena, g.slot, me) == Outcome::acquired);
    holds = true;
    while (!end) platform::yield();
  });
  while (!holds) platform::yield();
  std::thread killer([&] {
    while (!(g.word() & kStarving)) platform::yield();  // asleep, and not for the first time
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    end = true;
  });
  const int64_t before = platform::monotonic_now();
  CHECK(lock_acquire(g.arena, g.slot, g.a, in(5 * kSecond), nullptr) == Outcome::abandoned);
  CHECK(platform::monotonic_now() - before < kParkCeilingNs * 4 / 5);
  owner.join();
  killer.join();
}

TEST("lock: a starving waiter is handed the lock, no newcomer gets in between") {
  Ground g;
  CHECK(lock_try(g.arena, g.slot, g.a) == Outcome::acquired);
  ParkPlan plan;
  Contender old = waiting(g, g.b, 2 * kStarvingAfterNs, &plan);
  CHECK(g.word() == (g.a | kWaiters | kStarving) && g.claim() == g.b);
  CHECK(plan.count == 3);
  CHECK(lock_release(g.arena, g.slot, g.a));
  CHECK(g.word() == (g.b | kWaiters) && g.claim() == 0);
  CHECK(lock_try(g.arena, g.slot, g.c) == Outcome::timed_out);
  CHECK(step(old) == Step::acquired && !old.claimed);
}

TEST("lock: a young waiter may be overtaken") {
  Ground g;
  CHECK(lock_try(g.arena, g.slot, g.a) == Outcome::acquired);
  ParkPlan plan;
  Contender young = waiting(g, g.b, 0, &plan);
  CHECK(!(g.word() & kStarving));
  CHECK(lock_release(g.arena, g.slot, g.a));
  CHECK(g.word() == 0);
  CHECK(step(young) == Step::acquired);
  CHECK(g.word() == (g.b | kWaiters));  // L1: others may sleep
}

TEST("lock: a starving waiter that gives up is not handed the lock") {
  Ground g;
  CHECK(lock_try(g.arena, g.slot, g.a) == Outcome::acquired);
  ParkPlan plan;
  Contender old = waiting(g, g.b, 2 * kStarvingAfterNs, &plan);
  CHECK(!lock_withdraw(old));
  CHECK(g.claim() == 0);
  CHECK(lock_release(g.arena, g.slot, g.a));
  CHECK(g.word() == 0);
}

TEST("lock: giving up just after the hand-over is too late") {
  Ground g;
  CHECK(lock_try(g.arena, g.slot, g.a) == Outcome::acquired);
  ParkPlan plan;
  Contender old = waiting(g, g.b, 2 * kStarvingAfterNs, &plan);
  CHECK(lock_release(g.arena, g.slot, g.a));
  CHECK(lock_withdraw(old));
  CHECK((g.word() & kOwnerMask) == g.b);
}

TEST("lock: giving up in the middle of the hand-over waits for its end") {
  static Ground* ground;
  static Contender* grantee;
  static std::thread* giving_up;
  static bool won;
  Ground g;
  ground = &g;
  CHECK(lock_try(g.arena, g.slot, g.a) == Outcome::acquired);
  ParkPlan plan;
  Contender old = waiting(g, g.b, 2 * kStarvingAfterNs, &plan);
  grantee = &old;
  mp_on_point = [](const char* name) {
    if (strcmp(name, "lock.handing") != 0) return;
    mp_on_point = nullptr;
    CHECK(ground->claim() == (kHanding | ground->a));
    giving_up = new std::thread([] { won = lock_withdraw(*grantee); });
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  };
  CHECK(lock_release(g.arena, g.slot, g.a));
  giving_up->join();
  delete giving_up;
  CHECK(won && (g.word() & kOwnerMask) == g.b && g.claim() == 0);
}

TEST("lock: a dead grantee is passed over") {
  Ground g;
  CHECK(lock_try(g.arena, g.slot, g.a) == Outcome::acquired);
  std::thread([&] {
    ParkPlan plan;
    waiting(g, enter(g.arena), 2 * kStarvingAfterNs, &plan);
  }).join();
  CHECK(g.word() & kStarving);
  CHECK(lock_release(g.arena, g.slot, g.a));
  CHECK(g.word() == 0 && g.claim() == 0);
}

TEST("lock: a grantee that died just after the hand-over is found out") {
  Ground g;
  CHECK(lock_try(g.arena, g.slot, g.a) == Outcome::acquired);
  std::thread([&] {
    ParkPlan plan;
    waiting(g, enter(g.arena), 2 * kStarvingAfterNs, &plan);
    CHECK(lock_release(g.arena, g.slot, g.a));
  }).join();
  CHECK(lock_try(g.arena, g.slot, g.b) == Outcome::abandoned);
}

TEST("lock: a releaser that dies in the middle of a hand-over strands nobody") {
  for (const char* where : {"lock.handing", "lock.handed"}) {
    static const char* at;
    at = where;
    Ground g;
    ParkPlan plan;
    Contender* old = nullptr;
    OwnerId releaser = 0;
    std::thread([&] {
      releaser = enter(g.arena);
      CHECK(lock_try(g.arena, g.slot, releaser) == Outcome::acquired);
      old = new Contender(waiting(g, g.b, 2 * kStarvingAfterNs, &plan));
      mp_on_point = [](const char* name) {
        if (strcmp(name, at) != 0) return;
        mp_on_point = nullptr;
        pthread_exit(nullptr);
      };
      lock_release(g.arena, g.slot, releaser);
    }).join();
    CHECK(g.claim() == (kHanding | releaser));
    const bool delivered = strcmp(where, "lock.handed") == 0;
    CHECK(step(*old) == (delivered ? Step::acquired : Step::abandoned));
    // The claim that was left is nobody's: the next starving waiter gets it.
    Contender next = waiting(g, g.c, 2 * kStarvingAfterNs, &plan);
    CHECK(g.claim() == g.c);
    CHECK(lock_release(g.arena, g.slot, g.b));
    CHECK(step(next) == Step::acquired);
    delete old;
  }
}

TEST("lock: somebody who releases for the owner hands over to nobody, also when it dies half way (L6)") {
  for (const bool dies : {false, true}) {
    Ground g;
    CHECK(lock_try(g.arena, g.slot, g.a) == Outcome::acquired);
    ParkPlan plan;
    Contender old = waiting(g, g.b, 2 * kStarvingAfterNs, &plan);
    CHECK(g.claim() == g.b);
    std::thread([&] {
      if (dies)
        mp_on_point = [](const char* name) {
          if (strcmp(name, "lock.cleared") != 0) return;
          mp_on_point = nullptr;
          pthread_exit(nullptr);
        };
      CHECK(lock_release_for(g.slot, g.a) && !lock_release_for(g.slot, g.a));
    }).join();
    CHECK(g.word() == 0 && g.claim() == g.b);
    CHECK(!lock_release(g.arena, g.slot, g.a));
    CHECK(lock_try(g.arena, g.slot, g.a) ==
          Outcome::acquired);  // what it held is gone, what it takes now is its own
    CHECK(step(old) == Step::park);
    CHECK(lock_release(g.arena, g.slot, g.a) && g.claim() == 0);
    CHECK(step(old) == Step::acquired);
  }
}

TEST("lock: released by the owner and by somebody else at once: one succeeds") {
  static Ground* ground;
  static bool stranger_released;
  Ground g;
  ground = &g;
  CHECK(lock_try(g.arena, g.slot, g.a) == Outcome::acquired);
  ParkPlan plan;
  Contender old = waiting(g, g.b, 2 * kStarvingAfterNs, &plan);
  mp_on_point = [](const char* name) {
    if (strcmp(name, "lock.handing") != 0) return;
    mp_on_point = nullptr;
    stranger_released = lock_release_for(ground->slot, ground->a);
  };
  CHECK(!lock_release(g.arena, g.slot, g.a));
  CHECK(stranger_released && g.word() == 0 && g.claim() == 0);
  CHECK(step(old) == Step::acquired);
}

TEST("lock: a waiter that goes away after being woken leaves nobody asleep for good (L1)") {
  Ground g;
  CHECK(lock_try(g.arena, g.slot, g.a) == Outcome::acquired);
  ParkPlan plan;
  Contender woken = waiting(g, g.b, 0, &plan);
  CHECK(lock_release(g.arena, g.slot, g.a));                   // spends the wake on it
  CHECK(lock_try(g.arena, g.slot, g.c) == Outcome::acquired);  // a newcomer, which knows of no waiters
  CHECK(!lock_withdraw(woken));
  CHECK(g.word() == (g.c | kWaiters));
}

TEST("lock: 1,000 locks, each of its own") {
  Ground g;
  static uint32_t many[1000];
  for (uint32_t& i : many) i = create(g.arena, g.a);
  for (const uint32_t i : many) CHECK(lock_try(g.arena, g.arena.slot(i), g.a) == Outcome::acquired);
  for (const uint32_t i : many) CHECK(lock_try(g.arena, g.arena.slot(i), g.b) == Outcome::timed_out);
  participant_leave(g.arena, g.a);
  CHECK(census(g.arena).objects == 0);
}
