// Explores what is held: a semaphore or a readers-writer lock, in the tree's arena or a named one's, fought for by a few
// participants that do whatever the seed says and die wherever it says.
//
// usage: monitor_explore [seeds [first]]

#include "core/rwlock.h"
#include "core/semaphore.h"
#include "fake/monitors.h"

using namespace mp;
using namespace mp::fake;

namespace {

bool semaphore, deaths,
    force;  // force: somebody posts what others hold, or steals; then nothing is exclusive
uint32_t born, born_at_most;

/// What the coroutines have of it, by their own account; the dead ones when they died.
struct Holding {
  uint32_t units, reads;
  bool writes;
} has[65];
bool untold_write;     // a writer died inside, and no writer has been told since
uint64_t died_untold;  // units that were held by the dead, less those told of

struct Sum {
  uint64_t got, told, timed_out, late_wins, passed_on, posted, consumed, stolen, kills;
  int64_t longest_wait;
} sum;

SemaphoreFields& sem() { return semaphore_fields(monitor()); }
RWLockFields& rw() { return rwlock_fields(monitor()); }

/// The sums follow from the seats whenever the latch is free, and nobody waits for what is there.
void check_sums() {
  if (!latch_is_free()) return;
  uint64_t units = 0, reads = 0, waiting = 0;
  OwnerId writer = 0;
  bool first_wants_write = false;
  uint32_t first = 0;
  each_seat_now([&](Seat& s) {
    const auto hold = static_cast<uint32_t>(s.hold.peek());
    units += hold & kUnitsMax;
    reads += hold & kReadsMax;
    if (hold & kWrites && !semaphore) {
      if (writer != 0) fail("R1: two seats write");
      writer = s.owner.peek();
    }
    if ((hold & kSeatState) != kSeatWaits) return;
    if (waiting++ == 0 || comes_before(s.ticket.peek(), first))
      first = s.ticket.peek(), first_wants_write = hold & kWantsWrite;
  });
  if (monitor().waiting.peek() != waiting) fail("waiting is not the number of seats that wait");
  if (semaphore) {
    if (units + sem().available.peek() != sem().total.peek()) fail("S1: available + held is not total");
    if (waiting != 0 && sem().available.peek() != 0) fail("somebody waits beside an available unit");
    if (sem().bound.peek() != 0 && sem().total.peek() >= sem().bound.peek()) fail("S5: above the bound");
    return;
  }
  if (rw().readers.peek() != reads || rw().writer.peek() != writer) fail("R1: the sums are not the seats'");
  if (reads != 0 && writer != 0) fail("readers beside a writer");
  if (waiting != 0 && writer == 0 && (reads == 0 || !first_wants_write)) fail("R3: the first could be in");
}

void idle() {
  check_sleepers();
  check_sums();
}

void contender(uint64_t rounds);

void death(int id) {
  died_untold += has[id].units;
  untold_write |= has[id].writes;
  has[id] = {};
  if (born < born_at_most) born++, spawn(contender, 3 + random(4));
}

/// What we have got is nobody else's.
void note_got(bool write, bool told) {
  if (told && nobody_died()) fail("told of a death that was none");
  sum.got++;
  sum.told += told;
  Holding &mine = has[self()], alive = {};
  if (semaphore) {
    mine.units++;
    if (told && died_untold > 0) died_untold--;
  } else {
    if (untold_write && !told && !force) fail("R4: a writer died inside and the next one was not told");
    if (write && told) untold_write = false;
    write ? void(mine.writes = true) : void(mine.reads++);
  }
  if (force) return;
  uint32_t writers = 0;
  for (const Holding& h : has) alive.units += h.units, alive.reads += h.reads, writers += h.writes;
  if (semaphore && alive.units > sem().total.peek()) fail("more units in use than there are");
  if (writers > 1 || (writers == 1 && alive.reads > 0)) fail("a writer is not alone");
}

Grant enter_line(const Desk& d, bool write) {
  return semaphore ? semaphore_enter(d) : rwlock_enter(d, write);
}
Grant collect(const Desk& d) { return semaphore ? semaphore_collect(d) : rwlock_collect(d); }
Grant withdraw(const Desk& d) { return semaphore ? semaphore_withdraw(d) : rwlock_withdraw(d); }
bool pass_on(const Desk& d) { return semaphore ? semaphore_pass_on(d) : rwlock_pass_on(d); }

/// JavaScript's fast paths: plain stores between two compare-and-swaps on the latch.
template <class F>
bool fast(const Desk& d, F change) {
  uint32_t word = 0;
  if (!d.monitor.latch.compare_exchange_strong(word, d.me)) return false;
  const bool done = d.monitor.waiting.load(std::memory_order_relaxed) == 0 && change();
  word = d.me;
  if (!d.monitor.latch.compare_exchange_strong(word, 0)) latch_leave(d.monitor.latch, d.me);
  return done;
}
void add(Word& word, uint32_t n) { word.store(word.peek() + n); }
void set_hold(const Desk& d, uint64_t hold) { d.seat.hold.store(hold); }

bool take_fast(const Desk& d, bool write) {
  return fast(d, [&] {
    const uint64_t hold = d.seat.hold.peek();
    if (semaphore) {
      if (sem().available.peek() == 0 || sem().died.peek() != 0) return false;
      set_hold(d, hold + 1), add(sem().available, ~0u);
      return true;
    }
    if (rw().writer.peek() != 0 || rw().died.peek() != 0 || (write && rw().readers.peek() != 0)) return false;
    if (write)
      set_hold(d, hold | kWrites), rw().writer.store(d.me);
    else
      set_hold(d, hold + 1), add(rw().readers, 1);
    return true;
  });
}

bool give_fast(const Desk& d, bool write) {
  return fast(d, [&] {
    const uint64_t hold = d.seat.hold.peek();
    if (semaphore) {
      if ((hold & kUnitsMax) == 0) return false;
      set_hold(d, hold - 1), add(sem().available, 1);
      return true;
    }
    if (write ? !(hold & kWrites) : !(hold & kReadsMax)) return false;
    if (write)
      set_hold(d, hold & ~uint64_t{kWrites}), rw().writer.store(0);
    else
      set_hold(d, hold - 1), add(rw().readers, ~0u);
    return true;
  });
}

Grant get(const Desk& d, bool write) {
  const uint32_t how = random(8);
  if (how == 0) return semaphore ? semaphore_try(d) : rwlock_try(d, write);
  if (how < 4 && take_fast(d, write)) return Grant::granted;
  const int64_t now = platform::monotonic_now();
  // Who holds one while it waits must not wait for ever: all could.
  const int64_t deadline = random(3) == 0 || has[self()].units > 0 ? now + random(4'000'000) : INT64_MAX;
  Grant got = enter_line(d, write);
  while (got == Grant::waits) {
    if (!wait_for_bell(d, deadline) || random(20) == 0) {
      got = withdraw(d);
      got == Grant::waits ? sum.timed_out++ : sum.late_wins++;
      return got;
    }
    if (random(3) == 0 && pass_on(d)) {
      sum.passed_on++;
      continue;
    }
    got = collect(d);
    if (got == Grant::waits && !force) fail("B1: rung, and nothing was granted");
  }
  return got;
}

void give_back(const Desk& d, bool write, bool untold) {
  Holding& mine = has[self()];
  semaphore ? void(mine.units--) : write ? void(mine.writes = false) : void(mine.reads--);
  if (untold) died_untold += semaphore, untold_write |= !semaphore;
  if (!untold && random(2) == 0 && give_fast(d, write)) return;
  const bool had = semaphore ? semaphore_release(d, untold) : rwlock_release(d, write, untold);
  if (!had && !force) fail("what we held was gone");
}

/// What goes beyond taking and giving back.
void surprise(const Desk& d) {
  Holding& mine = has[self()];
  uint32_t own;
  if (!semaphore) {
    if (!force || mine.reads != 0 || mine.writes) return;
    const Grant got = rwlock_steal(d);
    sum.stolen++;
    note_got(true, got == Grant::told);
    give_back(d, true, false);
  } else if (mine.units > 0 && random(2) == 0 && sem().total.peek() > 1) {
    mine.units--;
    semaphore_consume(d);
    sum.consumed++;
  } else if (force || sem().bound.peek() == 0) {
    if (mine.units > 0) mine.units--;
    sum.posted += semaphore_post(d, 1, &own);
  }
}

void contender(uint64_t rounds) {
  const OwnerId me = enter();
  const Desk d = sit_down(me);
  for (uint64_t i = 0; i < rounds; i++) {
    if (random(12) == 0) surprise(d);
    const bool write = random(2) == 0;
    const int64_t since = platform::monotonic_now();
    const Grant got = get(d, write);
    const int64_t waited = platform::monotonic_now() - since;
    if (waited > sum.longest_wait) sum.longest_wait = waited;
    check_sums();
    if (got == Grant::waits) continue;
    note_got(write, got == Grant::told);
    const uint32_t pace = random(6);
    pace == 0 ? nap(random(600'000)) : step();
    if (semaphore && has[self()].units < 2 && sem().total.peek() > 4 && random(4) == 0)
      continue;  // holds two
    while (has[self()].units > 0 || has[self()].reads > 0 || has[self()].writes)
      give_back(d, write, got == Grant::told && random(4) == 0);
    check_sums();
  }
  if (!deaths || random(3) != 0) {
    while (has[self()].units > 0) give_back(d, false, false);
    if (random(2) == 0) stand_up(d);
    participant_leave(arena, me);
  } else {
    deserted++;
  }
}

void one(uint64_t seed) {
  deaths = seed % 2 == 1;
  semaphore = seed / 4 % 2 == 0;
  force = seed / 8 % 5 == 4;
  born = deserted = 0;
  born_at_most = 8;
  untold_write = false;
  died_untold = 0;
  memset(has, 0, sizeof has);
  World w = world_of(seed, deaths);
  w.on_idle = idle;
  w.on_death = death;
  begin(w);
  new_world(semaphore ? kSemaphore : kRWLock, seed);
  if (semaphore) {
    const uint32_t units = seed / 40 % 3 == 0 ? 1 : 1 + random(5);
    semaphore_init(monitor(), units, seed / 8 % 2 == 0 ? units + 1 : 0);
  }
  const uint32_t n = 2 + random(4);
  for (uint32_t i = 0; i < n; i++) spawn(contender, 4 + random(8));
  run();
  sum.kills += kills();

  participants_sweep(arena);
  const Desk d = sit_down(keeper);
  check_sums();
  if (!latch_is_free()) fail("the latch is left behind");
  uint32_t seats = 0;
  each_seat_now([&](Seat&) { seats++; });
  if (seats != 1) fail("a seat is left behind");
  if (semaphore) {
    const uint32_t total = sem().total.peek();
    if (sem().available.peek() != total) fail("everybody is gone and units are missing");
    uint64_t told = 0;
    for (uint32_t i = 0; i < total; i++) {
      const Grant got = semaphore_try(d);
      if (got == Grant::waits) fail("an available unit cannot be had");
      told += got == Grant::told;
    }
    if (!force && told < died_untold && told < total)
      fail("S3: units came back from the dead, and nobody was told");
    if (told != 0 && nobody_died()) fail("told of a death that was none");
  } else {
    const Grant got = rwlock_try(d, true);
    if (got == Grant::waits) fail("everybody is gone and the lock is not free");
    if (untold_write && !force && got != Grant::told)
      fail("R4: the last writer died inside and nobody was told");
    if (got == Grant::told && nobody_died()) fail("told of a death that was none");
    rwlock_release(d, true);
  }
  stand_up(d);
  check_nothing_left();
}

}  // namespace

int main(int argc, char** argv) {
  ground_prepare();
  const Range r = seeds(argc, argv, 20'000);
  for (uint64_t s = r.from; s < r.from + r.count; s++) one(s);
  const auto n = [](uint64_t v) { return static_cast<unsigned long long>(v); };
  printf(
      "monitor: %llu seeds, %llu granted (%llu told of a death), %llu timed out, %llu late wins, %llu passed "
      "on, "
      "%llu posted, %llu consumed, %llu stolen, %llu kills, %llu rescued by the ceiling, longest wait %.1f "
      "ms\n",
      n(r.count), n(sum.got), n(sum.told), n(sum.timed_out), n(sum.late_wins), n(sum.passed_on),
      n(sum.posted), n(sum.consumed), n(sum.stolen), n(sum.kills), n(rescued),
      static_cast<double>(sum.longest_wait) / 1e6);
}
