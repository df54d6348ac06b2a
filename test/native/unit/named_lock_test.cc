// Tokens that stand apart, and the arena of a named lock, over memory that others damage.
#include "core/named_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <thread>
#include <vector>

#include "support/arena.h"

using namespace mp;
using namespace mp::test;

extern void (*mp_on_point)(const char*);

namespace {

/// Over a file that is not sealed.
Arena make_lock(size_t size = kNamedLockBytes) {
  Arena lock;
  lock.plan = &kNamedLockPlan;
  CHECK(!platform::memory_file("multiproc-test", &lock.fd));
  CHECK(ftruncate(lock.fd, static_cast<off_t>(size)) == 0);
  return lock;
}
void map(Arena& lock) {
  void* base;
  CHECK(!platform::memory_map(lock.fd, kNamedLockBytes, &base));
  lock.base = static_cast<unsigned char*>(base);
}
Arena mapped_lock() {
  Arena lock = make_lock();
  map(lock);
  return lock;
}
void unmap(const Arena& lock) { platform::memory_unmap(lock.base, kNamedLockBytes); }

/// Runs `body` in a process that is killed when it returns.
template <class Body>
void in_killed_process(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    raise(SIGKILL);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

}  // namespace

TEST("named lock: enter, lock, leave; the next user of a slot has another id") {
  Arena lock = mapped_lock();
  const OwnerId me = enter(lock);
  CHECK(owner_slot(me) == 1 && participant_stands(lock, me));
  CHECK(lock_try(lock, lock.slot(0), me) == Outcome::acquired);
  CHECK(lock_release(lock, lock.slot(0), me));
  participant_leave(lock, me);
  CHECK(!participant_stands(lock, me));
  const OwnerId again = enter(lock);
  CHECK(owner_slot(again) == 1 && again != me);
  participant_leave(lock, again);
  unmap(lock);
  close(lock.fd);
}

TEST("named lock: what an owner that is killed held is abandoned, at once") {
  Arena lock = mapped_lock();
  const OwnerId me = enter(lock);
  for (int i = 0; i < 50; i++) {
    in_killed_process([&] {
      map(lock);
      CHECK(lock_try(lock, lock.slot(0), enter(lock)) == Outcome::acquired);
    });
    const int64_t before = platform::monotonic_now();
    CHECK(lock_acquire(lock, lock.slot(0), me, in(5 * kSecond), nullptr) == Outcome::abandoned);
    CHECK(platform::monotonic_now() - before < kParkCeilingNs);
    CHECK(lock_release(lock, lock.slot(0), me));
  }
  CHECK(lock.header().participant_high.load() == 2);  // its slot was swept and used again
  participant_leave(lock, me);
  unmap(lock);
  close(lock.fd);
}

TEST("named lock: killed at every point of entering, locking, handing over and leaving") {
  static int points_left;
  Arena lock = mapped_lock();
  const OwnerId me = enter(lock);
  bool reached = true;
  int kills = 0;
  for (int at = 0; reached; at++) {
    // What there is for it to sweep: one that died holding the lock.
    in_killed_process([&] {
      map(lock);
      CHECK(lock_try(lock, lock.slot(0), enter(lock)) != Outcome::timed_out);
    });
    const pid_t child = fork();
    if (child == 0) {
      map(lock);
      points_left = at;
      mp_on_point = [](const char*) {
        if (points_left-- == 0) raise(SIGKILL);
      };
      const OwnerId it = enter(lock);
      if (lock_acquire(lock, lock.slot(0), it, in(kSecond), nullptr) == Outcome::timed_out) _exit(1);
      lock.slot(0).claim.store(
          me);  // to be handed over; nobody waits, so `me` is given what it must take below
      lock.slot(0).word.fetch_or(kWaiters | kStarving);
      lock_release(lock, lock.slot(0), it);
      participant_leave(lock, it);
      _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    reached = WIFSIGNALED(status);
    kills += reached;
    CHECK(reached || WEXITSTATUS(status) == 0);
    const bool handed = (lock.slot(0).word.load() & kOwnerMask) == me;
    const int64_t before = platform::monotonic_now();
    CHECK(handed || lock_acquire(lock, lock.slot(0), me, in(5 * kSecond), nullptr) != Outcome::timed_out);
    CHECK(platform::monotonic_now() - before < kParkCeilingNs);
    lock.slot(0).claim.store(0);
    CHECK(lock_release(lock, lock.slot(0), me) && lock.slot(0).word.load() == 0);
    CHECK(lock.header().participant_high.load() <= 3);
  }
  CHECK(kills >= 10);
  participant_leave(lock, me);
  unmap(lock);
  close(lock.fd);
}

TEST("named lock: leaving with the lock held abandons it; threads are participants of their own") {
  Arena lock = mapped_lock();
  const OwnerId me = enter(lock);
  std::thread([&] {
    Arena mine = lock;  // each thread maps it for itself
    map(mine);
    const OwnerId worker = enter(mine);
    CHECK(lock_try(mine, mine.slot(0), worker) == Outcome::acquired);
    CHECK(lock_try(lock, lock.slot(0), me) == Outcome::timed_out);
    participant_leave(mine, worker);
    unmap(mine);
  }).join();
  CHECK(lock_try(lock, lock.slot(0), me) == Outcome::abandoned);
  std::thread([&] {
    Arena mine = lock;
    map(mine);
    CHECK(lock_release(lock, lock.slot(0), me));
    CHECK(lock_try(mine, mine.slot(0), enter(mine)) == Outcome::acquired);
  }).join();  // without leaving
  CHECK(lock_try(lock, lock.slot(0), me) == Outcome::abandoned);
  participant_leave(lock, me);
  unmap(lock);
  close(lock.fd);
}

TEST("named lock: 511 fit, one more is told so; a page each, and none before") {
  Arena lock = mapped_lock();
  std::vector<Arena> others;
  std::vector<OwnerId> ids;
  for (uint32_t i = 1; i < kNamedLockParticipantMax; i++) {
    others.push_back(lock);
    map(others.back());
    ids.push_back(enter(others.back()));
  }
  platform::Failure failed;
  CHECK(participant_enter(lock, {1, 1, 0, 1}, &failed) == 0 && failed.code == 11);
  struct stat s;
  CHECK(fstat(lock.fd, &s) == 0);
  CHECK(static_cast<size_t>(s.st_blocks) * 512 <= (kNamedLockParticipantMax + 1) * kPage);
  for (size_t i = 0; i < ids.size(); i++) participant_leave(others[i], ids[i]), unmap(others[i]);
  unmap(lock);
  close(lock.fd);
}

TEST("named lock: many open in one thread, closed in any order: the kernel finds the rest, and libc's own") {
  Arena tree = make_arena();
  constexpr int kLocks = 200;
  std::vector<Arena> locks;
  for (int i = 0; i < kLocks; i++) locks.push_back(make_lock());
  in_killed_process([&] {
    uint32_t random = 7;
    std::vector<OwnerId> ids(kLocks);
    const auto open_one = [&](int i) {
      map(locks[i]);
      ids[i] = enter(locks[i]);
      CHECK(lock_try(locks[i], locks[i].slot(0), ids[i]) != Outcome::timed_out);
    };
    for (int i = 0; i < kLocks; i++) {
      open_one(i);
      if (i == kLocks / 2) enter(tree);
    }
    for (int n = 0; n < 1000; n++) {
      random = random * 1103515245 + 12345;
      const int i = random / 65536 % kLocks;
      participant_leave(locks[i], ids[i]);
      unmap(locks[i]);
      if (n % 3 == 0) participant_leave(tree, enter(tree));
      open_one(i);
    }
  });
  for (Arena& lock : locks) {
    map(lock);
    const OwnerId me = enter(lock);
    CHECK(lock_try(lock, lock.slot(0), me) == Outcome::abandoned);
    participant_leave(lock, me);
    unmap(lock);
    close(lock.fd);
  }
  CHECK(participants_sweep(tree) == 1);
  drop_arena(tree);
}

TEST("named lock: cut off while it is open: the death of its users is still seen elsewhere") {
  Arena tree = make_arena();
  Arena lock = make_lock(), other = make_lock();
  in_killed_process([&] {
    map(lock);
    enter(lock);
    CHECK(ftruncate(lock.fd, 0) == 0);
    map(other);
    CHECK(lock_try(other, other.slot(0), enter(other)) == Outcome::acquired);
    enter(tree);
  });
  CHECK(participants_sweep(tree) == 1);
  // Behind the one that was cut off the kernel looks no further. Who waits finds out by the process.
  map(other);
  const OwnerId me = enter(other);
  CHECK(lock_acquire(other, other.slot(0), me, in(5 * kSecond), nullptr) == Outcome::abandoned);
  participant_leave(other, me);
  unmap(other);
  close(lock.fd);
  close(other.fd);
  drop_arena(tree);
}

TEST("named lock: overwritten at random while it is used: no crash, no wait without end") {
  uint32_t random = 99;
  const auto next = [&](uint32_t n) { return (random = random * 1103515245 + 12345) / 65536 % n; };
  for (int round = 0; round < 300; round++) {
    Arena lock = mapped_lock(), other = lock;
    map(other);
    OwnerId me = enter(lock), they = enter(other);
    for (int step = 0; step < 20; step++) {
      const uint32_t at[] = {64, kPage, kPage + 64, kPage + 68};
      unsigned char* to =
          lock.base + (next(2) ? at[next(4)] + next(8)
                               : (1 + next(3)) * kNamedLockStride + platform::kApartUnit - 256 + next(240));
      for (uint32_t n = next(16); n > 0; n--) *to++ = next(3) ? static_cast<unsigned char>(next(256)) : 0;
      const Arena& a = next(2) ? lock : other;
      const OwnerId by = &a == &lock ? me : they;
      lock_try(a, a.slot(0), by);
      platform::Watch unused;
      Identity who;
      char name[kNameBytes];
      owner_dead(a, a.slot(0).word.load() & kOwnerMask, &unused);
      participant_info(a, a.slot(0).word.load() & kOwnerMask, &who, name);
      lock_acquire(a, a.slot(0), by, in(next(2) * 100'000), nullptr);
      lock_release(a, a.slot(0), by);
      participants_sweep(a);
    }
    participant_leave(lock, me);
    participant_leave(other, they);
    unmap(other);
    unmap(lock);
    close(lock.fd);
  }
  // libc's list is as it was: it still takes and loses mutexes.
  Arena tree = make_arena();
  participant_leave(tree, enter(tree));
  drop_arena(tree);
}
