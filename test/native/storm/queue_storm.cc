// Kills processes by the ten thousand while they send each other messages through one queue and one pipe, and looks for what
// that must not do: a message that comes twice, out of order, or spoilt, more of them lost than processes died, a reference
// that names nothing, a wait without end, a byte, seat, keeper or object left behind.
//
//   queue_storm [kills=N] [workers=N] [points=MIN] [random] [broken] [seed=N]      as storm.cc
//
// Worker 0 is never killed: it is the one whose waits must end. With `broken` nobody counts again after a death with the
// latch: the detector must fire (see broken_doubt.cc).
#include <sys/mman.h>

#include <iterator>

#include "generated/queue_points.h"
#include "storm/parent.h"
#include "storm/points.h"
#include "storm/queue_work.h"
#include "storm/storm.h"

using namespace mp;
using namespace mp::test;

namespace mp::test {
bool broken_doubt = false;
}

namespace {

constexpr const char* kRare[] = {nullptr};

Options options;

uint32_t make_block(OwnerId me, uint32_t kind, uint64_t bytes) {
  NewBlock b;
  CHECK(!block_create(tree, me, kind, 0, bytes, &b));
  memset(heap_at(tree, heap, b.index), 0, bytes);
  return b.index;
}

OwnerId prepare() {
  tree = make_arena();
  heap = map_heap(tree);
  const OwnerId keeper = test::enter(tree);
  constexpr uint32_t kRingUnits = 512;
  queue_name.ring = make_block(keeper, kRing, sizeof(QueueBlock) + kRingUnits * kUnit);
  queue_init(*static_cast<QueueBlock*>(heap_at(tree, heap, queue_name.ring)), kRingUnits, 12, 8192);
  CHECK(!object_create(tree, keeper, kQueue, queue_name.ring, 0, &queue_name.index));
  pipe_block = make_block(keeper, kPipe, sizeof(PipeBlock) + 2 * kRingUnits * kUnit);
  pipe_desk(keeper).block.units = kRingUnits;
  pipe_desk(keeper).block.rings = 2;
  for (uint32_t& e : pipe_ends) CHECK(!object_create(tree, keeper, kPipeEnd, pipe_block, 0, &e));
  return keeper;
}

/// Receives what is left, and looks at what must be so when everybody is gone. Returns how much is not.
uint64_t look_at_all(OwnerId me, uint64_t kills) {
  uint64_t bad = 0;
  const auto must = [&](bool so, const char* what) {
    if (!so) fprintf(stderr, "queue_storm: %s\n", what), bad++;
  };
  static unsigned char record[kRecordUnitsMax * kUnit];
  platform::Failure failed;
  uint32_t seat = 0, units = 0, lost = 0;
  CHECK(!monitor_join(tree, queue_name.index, me, &seat));
  const QueueDesk desk = queue_desk(me);
  Seat& s = seat_at(tree, seat);
  while (queue_get(desk, record, kRecordUnitsMax, 1, nullptr, &s, &units, &failed) == QueueResult::done) {
    receive(me, kQueueWay, record);
    must(queue_done(desk, &s), "what was got cannot be done");
  }
  must(queue_join(desk, nullptr, &lost) == QueueResult::done, "something is not dealt with");
  must(lost <= kills, "more messages are lost than processes died");
  shared->told_lost = lost;
  must(desk.block.block_bytes == 0 && desk.block.carriers == 0, "an empty queue has bytes");
  must(desk.queue.waiting == 0 && desk.queue.first_seat == seat && s.next == 0, "seats are left behind");
  const uint32_t keeper = desk.queue.flags >> 8;
  must(keeper == 0 || kept(tree, keeper) == 0, "an empty queue keeps something");
  monitor_leave(tree, queue_name.index, me, seat);
  must(desk.queue.latch == 0, "the latch is held");

  for (uint32_t ring = 0; ring < 2; ring++) {
    PipeResult result;
    while ((result = take_from_pipe(me, ring, record)) == PipeResult::done)
      receive(me, ring == 0 ? kPipeWay : kPipeBack, record);
    must(result == PipeResult::waits, "the pipe is damaged");
  }
  PipeBlock& block = pipe_desk(me).block;
  must(block.doubt != 0 || block.keeper == 0 || kept(tree, block.keeper) == 0,
       "an empty pipe keeps something");
  must((tree.slot(pipe_block).word & kOwnerMask) == 0 || tree.slot(pipe_block).word == kAbandoned,
       "the pipe's lock is held");
  for (uint32_t side = 0; side < 2; side++)
    for (const Word* user : {&pipe_end(side).sender, &pipe_end(side).receiver})
      must(*user == 0 || *user == kAbandoned, "an end has a user");

  uint64_t missing = 0;
  for (uint32_t l = 0; l < shared->lives; l++) {
    const Producer& p = shared->producers[l];
    for (uint32_t n = 0; n < kMessages; n++) {
      const bool received = p.received[n / 32] >> n % 32 & 1;
      missing += n < p.put && !received;
      shared->phantom += n >= p.tried && received;
    }
  }
  must(missing <= kills, "more messages are missing than processes died");
  for (const uint32_t i : {queue_name.index, queue_name.ring, pipe_block, pipe_ends[0], pipe_ends[1]})
    test::close(tree, me, i);
  const Census c = census(tree);
  if (c.objects != 0 || c.participants != 1 || keepers_in_use(tree) != 0)
    fprintf(stderr, "left behind: %u objects, %u participants, %u keepers\n", c.objects, c.participants - 1,
            keepers_in_use(tree)),
        bad++;
  return bad;
}

}  // namespace

int main(int count, char** words) {
  options = parse_options(count, words, kSlots);
  points_yield = true;
  broken_doubt = options.broken;
  void* at = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
                  -1, 0);
  CHECK(at != MAP_FAILED);
  shared = static_cast<Shared*>(at);
  points_prepare(kPointNames, std::size(kPointNames), kRare);
  const OwnerId keeper = prepare();

  const int64_t began = platform::monotonic_now();
  const uint64_t kills =
      run_storm({options, work, 1, [] { return shared->stuck == 0 && shared->lives < kLives - 1000; },
                 [] { participants_sweep(tree); }});
  uint64_t bad = look_at_all(keeper, kills);

  bad += missed_points(options);
  const auto n = printable;
  const Shared& s = *shared;
  printf(
      "queue storm: %llu kills of %llu workers in %.1f s; %llu put, %llu received with %llu objects, %llu "
      "told "
      "lost; "
      "longest wait %.1f ms, %llu of 250 ms and more\n",
      n(kills), n(options.workers), static_cast<double>(platform::monotonic_now() - began) / 1e9, n(s.put),
      n(s.got), n(s.carried), n(s.told_lost), static_cast<double>(s.longest.load()) / 1e6, n(s.late));
  printf(
      "queue storm: %llu twice, %llu out of order, %llu spoilt, %llu dangling, %llu never put, %llu refused, "
      "%llu stuck, %llu other\n",
      n(s.twice), n(s.disorder), n(s.spoilt), n(s.dangling), n(s.phantom), n(s.refused), n(s.stuck), n(bad));
  const uint64_t found = s.twice + s.disorder + s.spoilt + s.dangling + s.phantom + s.refused + s.stuck + bad;
  if (options.broken)
    printf("queue storm: repair is broken on purpose: %s\n", found ? "detected" : "not detected");
  return (found == 0) == options.broken ? 1 : 0;
}
