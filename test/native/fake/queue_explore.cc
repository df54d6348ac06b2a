// Explores how participants wait at a queue: for messages, for room, for all to be done. They put, get, withdraw, pass on, join
// and die wherever the seed says. The fear is a lost wake: nobody sleeps beside a message, beside room that is enough for who
// is first in line, or when all is done.
//
// usage: queue_explore [seeds [first]]

#include "core/queue.h"
#include "fake/monitors.h"

using namespace mp;
using namespace mp::fake;

namespace {

constexpr uint32_t kRingUnits = 64, kMost = 65, kNumbers = 64;

struct {
  QueueBlock block;
  uint64_t bytes[kRingUnits];
} ring;
bool deaths, discarded;
uint32_t born, born_at_most;
uint32_t wants[1024];  // by seat: how many units it waits to put
bool received[kMost][kNumbers];
uint32_t tried[kMost], put[kMost];

struct Sum {
  uint64_t put, got, told_lost, withdrawn, passed_on, joined, kills;
  int64_t longest_wait;
} sum;

QueueMonitor& queue() { return reinterpret_cast<QueueMonitor&>(monitor()); }
QueueDesk desk_of(const Desk& d) { return {arena, object, queue(), ring.block, d.me}; }
uint32_t index_of(const Seat& s) { return arena.index_of(reinterpret_cast<const Slot&>(s)); }

/// With the latch free: whoever waits either has nothing to hear of, or somebody is on the way to what there is.
void check_waits() {
  if (!latch_is_free()) return;
  const uint64_t in = queue().in.peek(), out = queue().out.peek();
  const uint32_t length = queue_length(in, out);
  uint32_t sleeping = 0, coming = 0, joining = 0, waiting = 0;
  uint64_t taken = 0;
  const Seat* first = nullptr;
  each_seat_now([&](Seat& s) {
    const uint64_t hold = s.hold.peek();
    const auto state = static_cast<uint32_t>(hold), what = state & ~kNotified;
    const bool told = state & kNotified || s.bell.peek() != s.heard.peek();
    taken += hold >> 32;
    waiting += state != 0 && !(state & kNotified);
    if (what == kAwaitsItem) (told ? coming : sleeping)++;
    if (what == kAwaitsDone && !told) joining++;
    if (what == kAwaitsRoom && (first == nullptr || comes_before(s.ticket.peek(), first->ticket.peek())))
      first = &s;
  });
  if (monitor().waiting.peek() != waiting) fail("waiting is not the number of seats that wait");
  if (sleeping > 0 && coming < length)
    fail("Q3: somebody sleeps beside a message, and too few are on their way");
  if (joining > 0 && length == 0 && taken == 0) fail("Q6: somebody waits for all to be done, and all is");
  if (first != nullptr && !(first->hold.peek() & kNotified) && first->bell.peek() == first->heard.peek()) {
    const Ring r{reinterpret_cast<unsigned char*>(ring.bytes), kRingUnits};
    const uint32_t max = ring.block.max_items;
    if ((max == 0 || length < max) &&
        ring_room(r, static_cast<uint32_t>(out), static_cast<uint32_t>(in), wants[index_of(*first)]) != 0)
      fail("Q4: the first in line for room sleeps beside enough of it");
  }
}

void idle() {
  check_sleepers();
  check_waits();
}

void contender(uint64_t rounds);

void death(int) {
  if (born < born_at_most) born++, spawn(contender, 3 + random(4));
}

/// Tries until it succeeds, in line in between, or gives up.
template <class F>
QueueResult stand(const Desk& d, F attempt) {
  const int64_t since = platform::monotonic_now();
  const int64_t deadline = since + random(6'000'000);
  QueueResult result;
  while ((result = attempt()) == QueueResult::waits) {
    check_waits();
    if (!wait_for_bell(d, deadline) || random(20) == 0) {
      queue_withdraw(desk_of(d), d.seat);
      sum.withdrawn++;
      break;
    }
    if (random(3) == 0 && queue_pass_on(arena, object, d.me, d.seat)) {
      sum.passed_on++;
      continue;
    }
    if (random(4) == 0) nap(random(300'000));
  }
  const int64_t waited = platform::monotonic_now() - since;
  if (waited > sum.longest_wait) sum.longest_wait = waited;
  check_waits();
  return result;
}

void put_one(const Desk& d) {
  const auto id = static_cast<uint32_t>(self());
  if (put[id] >= kNumbers) return;
  uint32_t lock = 0;
  const uint32_t payload = 1 + random(random(3) == 0 ? 14 : 3);
  uint64_t record[kRingUnits / 4] = {};
  Record r{payload * kUnit, 0};
  record[1] = uint64_t{id} << 32 | put[id];
  if (payload < 14 && random(3) == 0) {
    if (object_create(arena, d.me, kLock, 0, record[1], &lock)) fail("object_create");
    r.meta = 1u << 18;
    record[1 + payload] = (arena.slot(lock).header.peek() & 0xffffffff) << 32 | lock;
  }
  memcpy(record, &r, sizeof r);
  const auto units = static_cast<uint32_t>(record_units(r));
  wants[index_of(d.seat)] = units;
  tried[id] = put[id] + 1;
  uint32_t done;
  platform::Failure failed;
  const auto attempt = [&](Seat* seat) {
    return queue_put(desk_of(d), reinterpret_cast<unsigned char*>(record), units, seat, &done, &failed);
  };
  const auto result = random(4) == 0 ? attempt(nullptr) : stand(d, [&] { return attempt(&d.seat); });
  if (result == QueueResult::done) put[id]++, sum.put++;
  tried[id] = put[id];
  if (result != QueueResult::done && result != QueueResult::waits && result != QueueResult::shut)
    fail("a put was refused");
  if (lock != 0) object_close(arena, owner_slot(d.me), lock);
}

void note_got(OwnerId me, const uint64_t* record, uint32_t* last) {
  Record r;
  memcpy(&r, record, sizeof r);
  const auto id = static_cast<uint32_t>(record[1] >> 32), number = static_cast<uint32_t>(record[1]);
  if (id >= kMost || number >= tried[id]) fail("a message that nobody has put");
  if (received[id][number]) fail("a message came twice");
  received[id][number] = true;
  if (number < last[id]) fail("messages of one producer out of order");
  last[id] = number;
  sum.got++;
  if (references_in(r.meta) == 0) return;
  const auto lock = static_cast<uint32_t>(record[1 + payload_units(r)]);
  const Slot& slot = arena.slot(lock);
  if ((static_cast<uint32_t>(slot.header.peek()) & ~uint32_t{kDying}) != record[1 + payload_units(r)] >> 32 ||
      slot.value.peek() != record[1] || !(arena.holder_cell(owner_slot(me), lock).peek() & holder_bit(lock)))
    fail("a reference names nothing");
  object_close(arena, owner_slot(me), lock);
}

void get_some(const Desk& d, uint32_t* last) {
  uint64_t out[kRingUnits / 4];
  uint32_t units;
  platform::Failure failed;
  const auto attempt = [&](Seat* seat) {
    return queue_get(desk_of(d), reinterpret_cast<unsigned char*>(out), kRingUnits / 4, 1, seat, &d.seat,
                     &units, &failed);
  };
  const auto result = random(4) == 0 ? attempt(nullptr) : stand(d, [&] { return attempt(&d.seat); });
  if (result != QueueResult::done && result != QueueResult::waits && result != QueueResult::shut)
    fail("a get was refused");
  if (result != QueueResult::done) return;
  note_got(d.me, out, last);
  if (random(3) == 0) nap(random(300'000));
  if (!queue_done(desk_of(d), &d.seat)) fail("what was got cannot be done");
}

void contender(uint64_t rounds) {
  const OwnerId me = enter();
  const Desk d = sit_down(me);
  uint32_t last[kMost] = {};
  for (uint64_t i = 0; i < rounds; i++) {
    check_waits();
    const uint32_t what = random(16);
    if (what < 7) {
      put_one(d);
    } else if (what < 14) {
      get_some(d, last);
    } else if (what == 14) {
      uint32_t lost = 0;
      const auto result = stand(d, [&] { return queue_join(desk_of(d), &d.seat, &lost); });
      if (result == QueueResult::done) sum.joined++, sum.told_lost += lost;
      if (lost > kills() + deserted) fail("more lost than have died");
    } else if (random(8) == 0) {
      discarded = true;
      queue_shut(desk_of(d), random(2) == 0);
    }
    if (random(6) == 0) nap(random(600'000));
  }
  if (!deaths || random(3) != 0) {
    if (random(2) == 0) stand_up(d);
    participant_leave(arena, me);
  } else {
    deserted++;
  }
}

void one(uint64_t seed) {
  deaths = seed % 2 == 1;
  discarded = false;
  born = deserted = 0;
  born_at_most = 8;
  memset(received, 0, sizeof received);
  memset(tried, 0, sizeof tried);
  memset(put, 0, sizeof put);
  World w = world_of(seed, deaths);
  w.on_idle = idle;
  w.on_death = death;
  begin(w);
  ground_clean();
  object = ground_new(kQueue);
  queue_init(ring.block, kRingUnits, seed / 4 % 3 == 0 ? 1 + random(4) : 0, 1 << 20);
  const uint32_t n = 2 + random(4);
  for (uint32_t i = 0; i < n; i++) spawn(contender, 4 + random(8));
  run();
  sum.kills += kills();

  participants_sweep(arena);
  const Desk d = sit_down(keeper);
  check_waits();
  uint32_t last[kMost] = {}, units, lost = 0, seats = 0;
  uint64_t out[kRingUnits / 4];
  platform::Failure failed;
  while (queue_get(desk_of(d), reinterpret_cast<unsigned char*>(out), kRingUnits / 4, 1, nullptr, &d.seat,
                   &units, &failed) == QueueResult::done) {
    note_got(keeper, out, last);
    queue_done(desk_of(d), &d.seat);
  }
  if (queue_join(desk_of(d), nullptr, &lost) != QueueResult::done) fail("something is left to be dealt with");
  if (lost > kills() + deserted) fail("more lost than have died");
  uint64_t missing = 0;
  for (uint32_t id = 0; id < kMost; id++)
    for (uint32_t i = 0; i < put[id]; i++) missing += !received[id][i];
  if (missing > kills() && !discarded) fail("more missing than have died");
  if (ring.block.block_bytes != 0 || ring.block.carriers != 0) fail("an empty queue has bytes");
  each_seat_now([&](Seat&) { seats++; });
  if (seats != 1 || monitor().waiting.peek() != 0) fail("a seat is left behind");
  if (!latch_is_free()) fail("the latch is left behind");
  stand_up(d);
  check_nothing_left();
  for (uint32_t k = 1; k < arena.header().keeper_high.peek(); k++)
    if (arena.keeper(k).object.peek() != 0) fail("a keeper is left behind");
}

}  // namespace

int main(int argc, char** argv) {
  ground_prepare();
  const Range r = seeds(argc, argv, 20'000);
  for (uint64_t s = r.from; s < r.from + r.count; s++) one(s);
  const auto n = [](uint64_t v) { return static_cast<unsigned long long>(v); };
  printf(
      "queue: %llu seeds, %llu put, %llu got, %llu lost and told, %llu withdrawn, %llu passed on, %llu "
      "joined, %llu "
      "kills, %llu rescued by the ceiling, longest wait %.1f ms\n",
      n(r.count), n(sum.put), n(sum.got), n(sum.told_lost), n(sum.withdrawn), n(sum.passed_on), n(sum.joined),
      n(sum.kills), n(rescued), static_cast<double>(sum.longest_wait) / 1e6);
}
