// The core under ThreadSanitizer: participants are threads over one mapping (it cannot see between processes).
//
// Locks protect plain cells, so a missing order between a release and the next acquire is reported as a race. Threads
// end without leaving, are swept, come back; objects are made, opened, granted, closed; names are read while they change.
#include <stdio.h>

#include <atomic>
#include <thread>
#include <vector>

#include "core/point.h"
#include "support/arena.h"

using namespace mp;
using namespace mp::test;

void mp::test::at_point(const char*) {
  static thread_local uint32_t n;
  if (++n % 64 == 0) platform::yield();  // two threads on one core would hardly meet
}

namespace {

constexpr int kThreads = 4, kLives = 40, kRounds = 1000;
constexpr uint32_t kLocks = 3;

Arena arena;
unsigned char* heap;
uint32_t locks[kLocks];
uint64_t counts[kLocks];  // plain: the locks must order them
std::atomic<uint64_t> board{0};
uint64_t
    sections[kThreads];  // each thread's own: an atomic one would order everything and hide what we look for
std::atomic<OwnerId> people[kThreads];

void use_lock(int number, OwnerId me, uint32_t random) {
  const uint32_t l = random % kLocks;
  Slot& slot = arena.slot(locks[l]);
  Outcome o;
  switch (random >> 8 & 7) {
    case 0:
      o = lock_try(arena, slot, me);
      break;
    case 1:
      o = lock_acquire(arena, slot, me, in(300'000), nullptr);
      break;
    case 2: {  // a waiter thread's way, given up at some time
      const int64_t since = platform::monotonic_now() - 2 * kMs;
      Contender c{arena, slot, me, since};
      ParkPlan plan;
      Step s = Step::park;
      for (int i = 0; i < 3 && s == Step::park; i++) {
        if ((s = lock_step(c, platform::monotonic_now(), &plan)) == Step::park)
          platform::park(plan.watch, plan.count, in(kMs));
      }
      o = s != Step::park || lock_withdraw(c) ? Outcome::acquired : Outcome::timed_out;
      break;
    }
    default:
      o = lock_spin(slot, me) ? Outcome::acquired : lock_acquire(arena, slot, me, in(10 * kSecond), nullptr);
      CHECK(o != Outcome::timed_out);
  }
  if (o != Outcome::acquired && o != Outcome::abandoned) return;
  counts[l]++;
  sections[number]++;
  uint32_t mine = me;
  if (random >> 16 & 1 && slot.word.compare_exchange_strong(mine, 0)) return;
  CHECK(lock_release(arena, slot, me));
}

void use_objects(OwnerId me, uint32_t random) {
  const uint64_t name = board.load(std::memory_order_relaxed);
  if (name == 0 || random % 4 == 0) {
    const bool plain = random & 2;
    NewBlock block;
    if (!plain) CHECK(!block_create(arena, me, kArray, 0, 1 + random % 9000, &block));
    const uint32_t made = plain ? create(arena, me) : block.index, kind = plain ? kLock : kArray;
    if (plain) arena.slot(made).detail = made;  // its maker alone may, before anybody has its name
    if (!plain) memset(heap + arena.slot(made).extent, 0, arena.slot(made).bytes);
    board.store(uint64_t{made} << 32 | kind << 24 | generation_of(arena, made), std::memory_order_relaxed);
    platform::Failure failed;
    if (const OwnerId other = people[random % kThreads].load(std::memory_order_relaxed);
        other != 0 && other != me)
      object_grant(arena, other, made, &failed);
    if (random & 1) close(arena, me, made);
    return;
  }
  const auto index = static_cast<uint32_t>(name >> 32);
  const uint32_t generation = static_cast<uint32_t>(name) & 0xffffff,
                 kind = static_cast<uint32_t>(name) >> 24;
  if (!open(arena, me, index, generation, kind)) return;
  const Slot& slot = arena.slot(index);
  // What the maker wrote came before its name was to be had, through the header only: `board` orders nothing.
  if (kind == kArray) CHECK(slot.bytes > 0 && slot.bytes <= 9000);
  arena.slot(index).value.fetch_add(1);
  close(arena, me, index);
}

void live(int number, uint32_t life) {
  const OwnerId me = enter(arena);
  people[number].store(me, std::memory_order_relaxed);
  for (const uint32_t l : locks) CHECK(open(arena, me, l, generation_of(arena, l)));
  uint32_t random = 2654435761u * static_cast<uint32_t>(number + 1) + life * 40503u;
  for (int i = 0; i < kRounds; i++) {
    random = random * 1664525 + 1013904223;
    const uint32_t r = random >> 8;
    switch (r % 16) {
      case 0:
      case 1:
      case 2:
        use_objects(me, r >> 4);
        break;
      case 3:
        r & 16 ? participants_sweep(arena) : static_cast<uint32_t>(spares_trim(arena, me));
        break;
      case 4:
        participant_rename(arena, me, r & 16 ? "one name" : "another, longer name");
        break;
      case 5: {
        Identity who;
        char name[kNameBytes];
        if (const OwnerId other = people[r / 16 % kThreads].load(std::memory_order_relaxed); other != 0)
          participant_info(arena, other, &who, name);
        break;
      }
      default:
        use_lock(number, me, r >> 4);
    }
  }
  people[number].store(0, std::memory_order_relaxed);
  if (life % 3 != 0) return participant_leave(arena, me);
  // A thread that ends without leaving. It may do so with a lock.
  lock_try(arena, arena.slot(locks[0]), me);
}

}  // namespace

int main() {
  arena = make_arena();
  heap = map_heap(arena);
  const OwnerId keeper = enter(arena);
  for (uint32_t& l : locks) l = create(arena, keeper);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; t++)
    threads.emplace_back([t] {
      for (uint32_t life = 0; life < kLives; life++) std::thread(live, t, life).join();
    });
  for (std::thread& t : threads) t.join();
  participants_sweep(arena);
  uint64_t total = 0, expected = 0;
  for (const uint64_t n : sections) expected += n;
  for (uint32_t l = 0; l < kLocks; l++) {
    CHECK(lock_acquire(arena, arena.slot(locks[l]), keeper, in(kSecond), nullptr) != Outcome::timed_out);
    total += counts[l];
    CHECK(lock_release(arena, arena.slot(locks[l]), keeper));
  }
  CHECK(total == expected);
  CHECK(census(arena).objects == kLocks && census(arena).participants == 1);
  printf("threads: %llu sections of %d lives, total exact\n", static_cast<unsigned long long>(total),
         kThreads * kLives);
}
