// How owners die, with real processes: killed while another of their threads is inside a system call that writes to
// shared memory, replaced by exec, killed in another pid namespace.
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <thread>

#include "support/arena.h"

using namespace mp;
using namespace mp::test;

namespace {

constexpr size_t kBytes = size_t{32} << 20, kTail = size_t{16} << 20;

/// Memory that parent and child share, and a file with other contents to read into it.
struct Shared {
  std::atomic<int> holds, reads;
};
Shared* shared;
unsigned char* target;
int source = -1;

void prepare() {
  if (shared != nullptr) return;
  const auto map = [](size_t size) {
    void* at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
  };
  shared = static_cast<Shared*>(map(sizeof(Shared)));
  target = static_cast<unsigned char*>(map(kBytes));
  CHECK(!platform::memory_file("source", &source));
  static unsigned char block[1 << 20];
  memset(block, 0xaa, sizeof block);
  for (size_t at = 0; at < kBytes; at += sizeof block)
    CHECK(pwrite(source, block, sizeof block, static_cast<off_t>(at)) == sizeof block);
}

void nap(int64_t ns) {
  const timespec t{0, static_cast<long>(ns)};
  nanosleep(&t, nullptr);
}

void own(const Arena& arena, uint32_t l) {
  const OwnerId me = enter(arena);
  CHECK(open(arena, me, l, generation_of(arena, l)));
  CHECK(lock_try(arena, arena.slot(l), me) == Outcome::acquired);
  shared->holds = 1;
}
void read_on() {
  for (;;) {
    shared->reads = 1;
    if (pread(source, target, kBytes, 0) < 0) abort();
  }
}
void store_on() {
  volatile unsigned char* to = target;
  for (shared->reads = 1;;)
    for (size_t i = kBytes - kTail; i < kBytes; i++) to[i] = 0xaa;
}

/// Kills such an owner while another of its threads writes, takes the lock over, writes, and looks whether that is
/// overwritten.
int overwritten(bool owner_is_main, int rounds, bool confirm, void (*write_on)() = read_on) {
  prepare();
  Arena arena = make_arena();
  const OwnerId me = enter(arena);
  const uint32_t l = create(arena, me);
  int bad = 0;
  for (int round = 0; round < rounds; round++) {
    shared->holds = shared->reads = 0;
    const pid_t child = fork();
    if (child == 0) {
      if (owner_is_main) {
        own(arena, l);
        std::thread(write_on).detach();
        for (;;) pause();
      }
      std::thread([&] {
        own(arena, l);
        for (;;) pause();
      }).detach();
      while (shared->holds == 0) sched_yield();
      write_on();
    }
    while (shared->holds == 0 || shared->reads == 0) sched_yield();
    nap(200'000 + round % 7 * 300'000);
    kill(child, SIGKILL);
    Slot& slot = arena.slot(l);
    if (confirm) {
      CHECK(lock_acquire(arena, slot, me, in(5 * kSecond), nullptr) == Outcome::abandoned);
    } else {
      platform::Watch unused;
      while (!owner_dead(arena, slot.word.load() & kOwnerMask, &unused)) sched_yield();
    }
    memset(target + kBytes - kTail, 0x11, kTail);
    nap(20'000'000);
    bool whole = true;
    for (size_t i = kBytes - kTail; i < kBytes && whole; i += 512) whole = target[i] == 0x11;
    bad += !whole;
    waitpid(child, nullptr, 0);
    if (!confirm) lock_acquire(arena, slot, me, in(5 * kSecond), nullptr);
    lock_release(arena, slot, me);
    participants_sweep(arena);
  }
  CHECK(census(arena).objects == 1 && census(arena).participants == 1);
  drop_arena(arena);
  return bad;
}

}  // namespace

TEST("death: a read in flight of another thread is over before the lock has a new owner") {
  const int without = overwritten(true, 15, false);
  printf("  overwritten by a dead owner's read: %d of 15 without confirming\n", without);
  CHECK(overwritten(true, 30, true) == 0);
}

TEST("death: so is one of the main thread when the owner is a worker thread") {
  const int without = overwritten(false, 15, false);
  printf("  overwritten by a dead worker's main thread: %d of 15 without confirming\n", without);
  const int with = overwritten(false, 30, true);
  if (with != 0) fprintf(stderr, "%d of 30\n", with);
  CHECK(with == 0);
}

TEST("death: other threads of a dead owner have made their last store before the lock has a new owner") {
  for (const bool owner_is_main : {true, false}) {
    const int without = overwritten(owner_is_main, 15, false, store_on);
    printf("  overwritten by a dead owner's store: %d of 15 without confirming\n", without);
    CHECK(overwritten(owner_is_main, 30, true, store_on) == 0);
  }
}

TEST("death: exec ends the owner, its process lives on") {
  prepare();
  Arena arena = make_arena();
  const OwnerId me = enter(arena);
  const uint32_t l = create(arena, me);
  shared->holds = 0;
  const pid_t child = fork();
  if (child == 0) {
    own(arena, l);
    nap(30'000'000);
    execl("/bin/sleep", "sleep", "30", nullptr);
    _exit(1);
  }
  while (shared->holds == 0) sched_yield();
  const int64_t before = platform::monotonic_now();
  CHECK(lock_acquire(arena, arena.slot(l), me, in(5 * kSecond), nullptr) == Outcome::abandoned);
  CHECK(platform::monotonic_now() - before < kSecond);  // it did not wait for the process's end
  CHECK(waitpid(child, nullptr, WNOHANG) == 0);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  drop_arena(arena);
}

TEST("death: an owner in another pid namespace") {
  prepare();
  Arena arena = make_arena();
  const OwnerId me = enter(arena);
  const uint32_t l = create(arena, me);
  shared->holds = 0;
  const pid_t outer = fork();
  if (outer == 0) {
    if (unshare(CLONE_NEWPID) != 0) _exit(77);
    const pid_t child = fork();  // process 1 of the new namespace
    if (child == 0) {
      own(arena, l);
      nap(20'000'000);
      _exit(0);
    }
    waitpid(child, nullptr, 0);
    _exit(0);
  }
  int status;
  while (shared->holds == 0) {
    if (waitpid(outer, &status, WNOHANG) == outer) {
      drop_arena(arena);
      SKIP("unshare(CLONE_NEWPID) is not allowed");
    }
    sched_yield();
  }
  CHECK(lock_acquire(arena, arena.slot(l), me, in(5 * kSecond), nullptr) == Outcome::abandoned);
  waitpid(outer, &status, 0);
  participants_sweep(arena);
  CHECK(census(arena).participants == 1);
  drop_arena(arena);
}

TEST(
    "death: a forked child is not its parent: it neither holds its parent's locks nor keeps them when it "
    "ends") {
  Arena arena = make_arena();
  const OwnerId me = enter(arena);
  const uint32_t l = create(arena, me);
  CHECK(lock_try(arena, arena.slot(l), me) == Outcome::acquired);
  const pid_t child = fork();
  if (child == 0) {
    const OwnerId own = enter(arena);
    _exit(own != me && lock_try(arena, arena.slot(l), own) == Outcome::timed_out ? 0 : 1);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  platform::Watch unused;
  CHECK(!owner_dead(arena, me, &unused) && (arena.slot(l).word.load() & kOwnerMask) == me);
  drop_arena(arena);
}
