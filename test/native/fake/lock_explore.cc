// Explores the lock: a few participants on one or two locks, each doing whatever the seed says, dying wherever it says.
//
// usage: lock_explore [seeds] | lock_explore 1 <seed>

#include "fake/ground.h"

using namespace mp;
using namespace mp::fake;

namespace {

constexpr int kLocks = 2;
uint32_t locks[kLocks];
int inside[kLocks];  // the coroutine in the critical section, dead or alive
bool force;          // somebody releases what others hold: nothing is exclusive then, but nothing may hang
bool deaths, withdrawals;  // of this seed
uint32_t born, born_at_most;

struct Sum {
  uint64_t acquired, abandoned, timed_out, withdrawn, late_wins, handed, forced, kills, rescues, died_inside;
  int64_t longest_wait;
} sum;

uint32_t word_of(int l) { return arena.slot(locks[l]).word.peek(); }
bool free_word(uint32_t w) { return (w & kOwnerMask) == 0 || (w & kOwnerMask) == kAbandoned; }

void check_word(int l) {
  const uint32_t w = word_of(l);
  if (w & kStarving && !(w & kWaiters)) fail("starving without waiters");
  if (w & (kStarving | kWaiters) && (w & kOwnerMask) == 0) fail("a free lock with bits");
}

void idle() {
  Parked p[64];
  const uint32_t n = parked(p, 64);
  for (int l = 0; l < kLocks; l++) {
    check_word(l);
    platform::Watch unused;
    const uint32_t w = word_of(l);
    const bool ready = free_word(w) || owner_dead(arena, w & kOwnerMask, &unused);
    for (uint32_t i = 0; i < n && ready; i++) {
      if (p[i].count == 0 || p[i].watches[0].word != &arena.slot(locks[l]).word) continue;
      sum.rescues++;
      if (kills() == 0) fail("L1: asleep beside a free lock, and nobody has died");
      break;
    }
  }
}

void contender(uint64_t rounds);

void death(int id) {
  for (int l = 0; l < kLocks; l++) sum.died_inside += inside[l] == id;
  if (born < born_at_most) born++, spawn(contender, 3 + random(4));
}

void critical_section(int l, bool told) {
  if (!force) {
    if (inside[l] != 0 && alive(inside[l])) fail("two owners");
    if (inside[l] != 0 && !told) fail("an owner died inside and the next one was not told");
    if (told && kills() == 0) fail("told of a death that was none");
  }
  inside[l] = self();
  check_word(l);
  const uint32_t pace = random(8);
  if (pace == 0)
    nap(1'500'000);
  else if (pace == 1)
    nap(300'000);
  else
    for (uint32_t i = 0; i < pace; i++) step();
  if (!force && inside[l] != self()) fail("two owners");
  if (inside[l] == self()) inside[l] = 0;
}

/// One attempt as a waiter thread makes it: given up at any moment, also without a last look.
bool attempt(Slot& slot, OwnerId me, int64_t deadline, bool may_withdraw, bool* told) {
  Contender c{arena, slot, me, platform::monotonic_now()};
  ParkPlan plan;
  for (;;) {
    const int64_t now = platform::monotonic_now();
    const Step s = lock_step(c, now, &plan);
    if (s != Step::park) {
      *told = s == Step::abandoned;
      return true;
    }
    const bool late = now >= deadline;
    if (late || (may_withdraw && random(6) == 0)) {
      late ? sum.timed_out++ : sum.withdrawn++;
      const bool won = lock_withdraw(c);
      sum.late_wins += won;
      return won;
    }
    platform::park(plan.watch, plan.count, plan.wake_at < deadline ? plan.wake_at : deadline);
    if (may_withdraw && random(6) == 0) {
      sum.withdrawn++;
      const bool won = lock_withdraw(c);
      sum.late_wins += won;
      return won;
    }
  }
}

bool acquire(int l, OwnerId me, bool* told) {
  Slot& slot = arena.slot(locks[l]);
  const int64_t now = platform::monotonic_now();
  Outcome o;
  switch (random(8)) {
    case 0:
      o = lock_try(arena, slot, me);
      break;
    case 1:
      o = lock_acquire(arena, slot, me, now + 2'000'000, nullptr);
      break;
    case 2:
      o = lock_acquire(arena, slot, me, INT64_MAX, nullptr);
      break;
    case 3: {  // JavaScript's fast path
      uint32_t none = 0;
      return slot.word.compare_exchange_strong(none, me);
    }
    case 4:
      return attempt(slot, me, now + random(4'000'000), false, told);
    case 5:
      if (withdrawals) return attempt(slot, me, INT64_MAX, true, told);
      [[fallthrough]];
    default:
      return attempt(slot, me, INT64_MAX, false, told);
  }
  if (o == Outcome::timed_out) sum.timed_out++;
  *told = o == Outcome::abandoned;
  return o == Outcome::acquired || o == Outcome::abandoned;
}

void release(int l, OwnerId me) {
  Slot& slot = arena.slot(locks[l]);
  uint32_t mine = me;
  if (random(2) == 0 && slot.word.compare_exchange_strong(mine, 0)) return;  // JavaScript's fast path
  const bool starving = (slot.word.peek() & kStarving) != 0;
  const bool held = lock_release(arena, slot, me);
  if (!held && !force) fail("an owner's release found somebody else's lock");
  sum.handed += held && starving;
}

void contender(uint64_t rounds) {
  const OwnerId me = enter();
  for (uint64_t i = 0; i < rounds; i++) {
    const int l = random(4) == 0 ? 1 : 0;
    if (force && random(4) == 0) {
      Slot& slot = arena.slot(locks[l]);
      const OwnerId owner = slot.word.load() & kOwnerMask;
      if (owner != 0 && owner != kAbandoned && owner != me) sum.forced += lock_release_for(slot, owner);
      continue;
    }
    bool told = false;
    const int64_t since = platform::monotonic_now();
    const bool got = acquire(l, me, &told);
    const int64_t waited = platform::monotonic_now() - since;
    if (waited > sum.longest_wait) sum.longest_wait = waited;
    if (!got) continue;
    sum.acquired++;
    sum.abandoned += told;
    critical_section(l, told);
    release(l, me);
    if (random(10) == 0) nap(random(3'000'000));
  }
  if (random(3) != 0) participant_leave(arena, me);  // else it ends as a thread that never left
}

void one(uint64_t seed) {
  force = seed % 7 == 6;
  deaths = seed % 2 == 1;
  withdrawals = seed % 3 != 0;
  World w = world_of(seed, deaths);
  w.on_idle = idle;
  w.on_death = death;
  begin(w);
  ground_clean();
  for (int l = 0; l < kLocks; l++) locks[l] = ground_new(kLock), inside[l] = 0;
  born = 0;
  born_at_most = 10;
  const uint32_t n = 2 + random(4);
  for (uint32_t i = 0; i < n; i++) spawn(contender, 6 + random(10));
  run();
  sum.kills += kills();

  participants_sweep(arena);
  for (int l = 0; l < kLocks; l++) {
    Slot& slot = arena.slot(locks[l]);
    const Outcome o = lock_try(arena, slot, keeper);
    if (o == Outcome::timed_out) fail("everybody is gone and the lock is not free");
    if (!force && inside[l] != 0 && o != Outcome::abandoned)
      fail("the last owner died inside and nobody was told");
    lock_release(arena, slot, keeper);
    // Starvation must still work: a stale claim of somebody alive would switch it off for good.
    const uint32_t claim = slot.claim.peek();
    platform::Watch unused;
    if (claim != 0 && !owner_dead(arena, claim & kOwnerMask, &unused))
      fail("a claim is left behind by somebody alive");
    object_close(arena, owner_slot(keeper), locks[l]);
  }
  for (uint32_t i = 1; i < kSlotsPerChunk; i++)
    if (header_kind(arena.slot(i).header.peek()) != kFree) fail("a slot is left behind");
}

}  // namespace

int main(int argc, char** argv) {
  ground_prepare();
  const Range r = seeds(argc, argv, 20'000);
  for (uint64_t s = r.from; s < r.from + r.count; s++) one(s);
  printf(
      "lock: %llu seeds, %llu acquired (%llu told of a death, %llu died inside), %llu handed over, %llu "
      "timed out, "
      "%llu withdrawn, %llu late wins, %llu forced, %llu kills, %llu rescued by the ceiling, longest wait "
      "%.1f ms\n",
      static_cast<unsigned long long>(r.count), static_cast<unsigned long long>(sum.acquired),
      static_cast<unsigned long long>(sum.abandoned), static_cast<unsigned long long>(sum.died_inside),
      static_cast<unsigned long long>(sum.handed), static_cast<unsigned long long>(sum.timed_out),
      static_cast<unsigned long long>(sum.withdrawn), static_cast<unsigned long long>(sum.late_wins),
      static_cast<unsigned long long>(sum.forced), static_cast<unsigned long long>(sum.kills),
      static_cast<unsigned long long>(sum.rescues), static_cast<double>(sum.longest_wait) / 1e6);
}
