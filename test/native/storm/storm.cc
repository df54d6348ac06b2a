// Kills processes by the ten thousand while they use locks and objects of one arena, and looks for what that must not do:
// two owners, a wait without end, a wrong total, an owner's death nobody was told of, a slot left behind, bytes that belong
// to two blocks or are not clean.
//
//   storm [kills=N] [workers=N] [locks=N] [random] [points=MIN] [broken] [seed=N]
//
//   random       kills at random times only; else half of the workers die at a named point of the core
//   points=MIN   goes on until a process has died MIN times at every point of the core (but see kRare)
//   broken       every owner counts as dead at once: the detector must fire (see broken_token.cc)
//
// Ends with 0 if nothing was found; with `broken`, if two owners were found.
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include <iterator>

#include "core/point.h"
#include "generated/points.h"
#include "storm/parent.h"
#include "storm/points.h"
#include "storm/storm.h"
#include "support/arena.h"

using namespace mp;
using namespace mp::test;

namespace mp::test {
bool broken_tokens = false;
}

namespace {

/// Reached only when two processes meet within some ten instructions: the fake scheduler goes there instead.
constexpr const char* kRare[] = {"object.free.saved", nullptr};

constexpr uint32_t kLocks = 1024, kSlots = 16, kBoard = 64, kTimes = 40;
using Counter = std::atomic<uint64_t>;

/// What a lock protects: plain cells, which only its owner touches.
struct Cell {
  volatile uint32_t owner;
  volatile uint64_t before, after;  // differ while an owner is inside, or died there
};
struct alignas(64) Worker {
  std::atomic<int> waits_for;  // a lock + 1, for the report of a stuck one
  Counter sections;
};
struct Shared {
  Cell cells[kLocks];
  Worker workers[kSlots];
  Counter times[kTimes];  // waits that took 2^i ns
  Counter longest, acquired, told, handed, opened, created, gone;
  Counter blocks, unclean, overwritten;
  Counter two_owners, untold, stuck, wrong_release;
  std::atomic<uint64_t> board[kBoard];  // index << 32 | kind << 24 | generation: anybody may try to open it
  std::atomic<OwnerId> people[kSlots];
};
Shared* shared;
Arena arena;
unsigned char* heap;
uint32_t locks[kLocks], lock_generations[kLocks], lock_count = 1;
bool opened[kLocks];  // by this participant

// ---- Workers -----------------------------------------------------------------------------------------------------------

/// Nobody else may write the owner's cell while we are inside.
void section(uint32_t l, OwnerId me, bool told, Worker& w) {
  Cell& c = shared->cells[l];
  if (c.before != c.after) {
    if (!told) shared->untold++;
    c.after = c.before;
  }
  c.owner = me;
  c.before = c.before + 1;
  for (uint32_t i = 0, n = below(300); i < n; i++) {
    if (c.owner == me) continue;
    shared->two_owners++;
    break;
  }
  if (below(40) == 0) {
    const timespec t{0, 1'500'000};  // long enough that somebody starves
    nanosleep(&t, nullptr);
  }
  MP_POINT("storm.inside");
  w.sections++;
  if (c.owner != me) shared->two_owners++;
  c.after = c.after + 1;
}

void note_wait(int64_t ns) {
  const auto n = static_cast<uint64_t>(ns);
  shared->times[n < 2 ? 0 : 63 - __builtin_clzll(n)]++;
  uint64_t longest = shared->longest;
  while (n > longest && !shared->longest.compare_exchange_weak(longest, n)) {
  }
}

void use_lock(OwnerId me, Worker& w) {
  const uint32_t l = below(2) == 0 ? 0 : below(lock_count);  // one is fought for, whatever the number
  Slot& slot = arena.slot(locks[l]);
  if (!opened[l]) CHECK(test::open(arena, me, locks[l], lock_generations[l]));
  opened[l] = true;
  const int64_t since = platform::monotonic_now();
  Outcome outcome = Outcome::timed_out;
  w.waits_for = static_cast<int>(l + 1);
  if (below(16) == 0) {
    outcome = lock_try(arena, slot, me);
  } else if (below(8) == 0) {
    outcome = lock_acquire(arena, slot, me, in(below(2'000'000)), nullptr);
  } else {
    if (below(2) == 0 && lock_spin(slot, me))
      outcome = Outcome::acquired;
    else
      outcome = lock_acquire(arena, slot, me, in(5 * kSecond), nullptr);
    if (outcome == Outcome::timed_out) shared->stuck++;
    note_wait(platform::monotonic_now() - since);
  }
  w.waits_for = 0;
  if (outcome != Outcome::acquired && outcome != Outcome::abandoned) return;
  shared->acquired++;
  if (outcome == Outcome::abandoned) shared->told++;
  section(l, me, outcome == Outcome::abandoned, w);
  uint32_t mine = me;
  if (slot.word.compare_exchange_strong(mine, 0)) return;  // JavaScript's fast path
  if (mine & kStarving) shared->handed++;
  if (!lock_release(arena, slot, me)) shared->wrong_release++;
}

/// Every 64th byte of a block, the last one as well.
template <class Each>
void each_mark(uint32_t index, Each each) {
  const Slot& slot = arena.slot(index);
  for (uint64_t i = 0; i<slot.bytes; i += slot.bytes> 1 << 20 ? 40'000 : 64) each(heap[slot.extent + i]);
  each(heap[slot.extent + slot.bytes - 1]);
}

uint32_t make_block(OwnerId me) {
  constexpr uint64_t kSizes[] = {50, 64, 1000, 4096, 9000, 30'000};
  const uint64_t bytes = below(16) == 0 ? kWarmBlockMax + 1 : kSizes[below(6)];
  NewBlock made;
  CHECK(!block_create(arena, me, kArray, 0, bytes, &made));
  memset(heap + arena.slot(made.index).extent, 0, made.dirty);
  uint32_t dirt = 0;
  each_mark(made.index, [&](unsigned char b) { dirt |= b; });
  if (dirt != 0) shared->unclean++;
  const auto mark = static_cast<unsigned char>(1 + below(255));
  each_mark(made.index, [&](unsigned char& b) { b = mark; });
  shared->blocks++;
  return made.index;
}

void check_block(uint32_t index) {
  const unsigned char mark = heap[arena.slot(index).extent];
  bool same = mark != 0;
  each_mark(index, [&](unsigned char b) { same &= b == mark; });
  if (!same) shared->overwritten++;
}

void use_objects(OwnerId me) {
  // Who is to die while making a block makes many, and keeps them, so that spares do not serve.
  const bool greedy = dies_at("block.");
  if (greedy && below(8) == 0) spares_trim(arena, me);
  const uint32_t slot = below(kBoard);
  const uint64_t name = shared->board[slot].load();
  const auto index = static_cast<uint32_t>(name >> 32), generation = static_cast<uint32_t>(name) & 0xffffff,
             kind = static_cast<uint32_t>(name) >> 24;
  if (index == 0 || greedy || below(3) == 0) {
    const uint32_t made_kind = !greedy && below(2) == 0 ? kLock : kArray;
    const uint32_t made = made_kind == kLock ? create(arena, me) : make_block(me);
    shared->created++;
    shared->board[slot] = uint64_t{made} << 32 | made_kind << 24 | generation_of(arena, made);
    if (const OwnerId other = shared->people[below(kSlots)]; other != 0 && other != me) {
      platform::Failure failed;
      object_grant(arena, other, made, &failed);
    }
    if (!greedy && below(2) == 0) test::close(arena, me, made);  // else it is kept until we leave or die
    return;
  }
  if (!test::open(arena, me, index, generation, kind)) {
    shared->gone++;
    return;
  }
  shared->opened++;
  Slot& object = arena.slot(index);
  for (int i = 0; i < 20; i++)
    if (header_generation(object.header.load()) != generation) abort();  // O2
  if (kind == kArray) check_block(index);
  test::close(arena, me, index);
}

[[noreturn]] void work(uint32_t number, const char* point_name, uint32_t after) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Worker& w = shared->workers[number];
  die_at_point(point_name, after);
  for (;;) {
    const OwnerId me = test::enter(arena);
    memset(opened, 0, sizeof opened);
    shared->people[number] = me;
    for (uint32_t i = 0, n = 20 + below(200); i < n; i++) {
      const uint32_t what = below(100);
      if (what < 80)
        use_lock(me, w);
      else if (what < 97)
        use_objects(me);
      else if (what < 99)
        participants_sweep(arena);
      else
        participant_rename(arena, me, "storm worker");
    }
    shared->people[number] = 0;
    participant_leave(arena, me);
  }
}

// ---- The parent --------------------------------------------------------------------------------------------------------

Options options;
uint64_t sweeps = 0;

double percentile(double p) {
  uint64_t all = 0, seen = 0;
  for (const Counter& t : shared->times) all += t;
  for (uint32_t i = 0; i < kTimes; i++)
    if ((seen += shared->times[i]) >= static_cast<uint64_t>(static_cast<double>(all) * p))
      return static_cast<double>(uint64_t{2} << i) / 1e6;
  return 0;
}

}  // namespace

int main(int count, char** words) {
  options = parse_options(count, words, kSlots);
  broken_tokens = options.broken;
  lock_count = static_cast<uint32_t>(options.locks);
  shared = static_cast<Shared*>(
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  CHECK(shared != MAP_FAILED && lock_count <= kLocks);
  points_prepare(kPointNames, std::size(kPointNames), kRare);
  arena = make_arena(uint64_t{16} << 30);
  heap = map_heap(arena);
  const OwnerId keeper = test::enter(arena);
  for (uint32_t i = 0; i < lock_count; i++)
    locks[i] = create(arena, keeper), lock_generations[i] = generation_of(arena, locks[i]);
  const Census baseline = census(arena);

  const int64_t began = platform::monotonic_now();
  const uint64_t kills = run_storm(
      {options, work, 0, [] { return shared->stuck == 0 && !(options.broken && shared->two_owners != 0); },
       [] { sweeps += participants_sweep(arena); }});

  // Everybody is gone: every lock is free or says that its owner died, and nothing else is left.
  uint64_t bad = 0, before = 0, sections = 0, lost = 0;
  for (uint32_t i = 0; i < lock_count; i++) {
    const Outcome o = lock_try(arena, arena.slot(locks[i]), keeper);
    const Cell& c = shared->cells[i];
    if (o == Outcome::timed_out)
      fprintf(stderr, "lock %u is still held: %08x\n", i, arena.slot(locks[i]).word.load()), bad++;
    if (c.before != c.after && o != Outcome::abandoned) shared->untold++;
    before += c.before;
    lock_release(arena, arena.slot(locks[i]), keeper);
  }
  for (const Worker& w : shared->workers) sections += w.sections;
  lost = before - sections;  // entered but not finished: at most one for each that died inside
  const Census now = census(arena);
  if (now.objects != baseline.objects || now.participants != baseline.participants) {
    fprintf(stderr, "left behind: %u objects, %u participants\n", now.objects - baseline.objects,
            now.participants - baseline.participants);
    bad++;
  }
  const uint64_t warm = arena.heap().warm;
  spares_count(arena);
  if (warm != arena.heap().warm || warm > kWarmMax + kWarmBlockMax)
    fprintf(stderr, "spares keep %llu bytes\n", printable(arena.heap().warm)), bad++;
  for (uint32_t i = 0; i < lock_count; i++) test::close(arena, keeper, locks[i]);
  participant_leave(arena, keeper);
  if (census(arena).objects != 0) fprintf(stderr, "slots left behind\n"), bad++;

  bad += missed_points(options);
  const auto n = printable;
  printf(
      "storm: %llu kills of %llu workers on %u locks in %.1f s; %llu sections, %llu told of a death, %llu "
      "handed over, "
      "%llu objects made, %llu opened, %llu gone, %llu swept here; wait p99.9 < %.2f ms, longest %.1f ms\n",
      n(kills), n(options.workers), lock_count, static_cast<double>(platform::monotonic_now() - began) / 1e9,
      n(shared->acquired), n(shared->told), n(shared->handed), n(shared->created), n(shared->opened),
      n(shared->gone), n(sweeps), percentile(0.999), static_cast<double>(shared->longest.load()) / 1e6);
  if (options.broken) {
    printf("storm: with recovery broken on purpose the detector found %llu double owners\n",
           n(shared->two_owners));
    return shared->two_owners != 0 ? 0 : 1;
  }
  if (lost > kills) bad++;
  const uint64_t found = shared->two_owners + shared->untold + shared->stuck + shared->wrong_release + bad +
                         shared->unclean + shared->overwritten;
  printf("storm: %llu blocks on %u slots, %.1f MiB of addresses; %llu not clean, %llu overwritten\n",
         n(shared->blocks), now.spares, static_cast<double>(arena.heap().used) / (1 << 20),
         n(shared->unclean), n(shared->overwritten));
  printf(
      "storm: %llu double owners, %llu untold deaths, %llu stuck, %llu releases refused, %llu sections cut "
      "short, %llu other\n",
      n(shared->two_owners), n(shared->untold), n(shared->stuck), n(shared->wrong_release), n(lost), n(bad));
  return found == 0 ? 0 : 1;
}
