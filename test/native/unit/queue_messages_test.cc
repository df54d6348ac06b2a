// What becomes of messages, what they refer to, and what is owed for them, when their senders and takers die.
#include <random>

#include "support/deaths.h"
#include "support/queues.h"

using namespace mp;
using namespace mp::test;

namespace {
using enum QueueResult;
}

TEST("queue: what is taken and done is counted, by whomever it is said") {
  QueueGround g;
  Guest a = g.sit(), b = g.sit();
  uint32_t lost = 9;
  CHECK(queue_join(a.desk, &a.seat, &lost) == done && lost == 0 && !queue_done(a.desk, &a.seat));
  for (uint32_t i = 0; i < 3; i++) CHECK(a.put(Letter(8, i)) == done);
  CHECK(!queue_done(b.desk, &b.seat));  // put, not got
  CHECK(b.get(false, true, 2) == done && queue_join(a.desk, &a.seat, &lost) == waits);
  CHECK(queue_done(b.desk, &b.seat) && queue_done(a.desk, &a.seat) && !queue_done(b.desk, &b.seat));
  CHECK(!a.rung() && b.get(false, true) == done && queue_done(b.desk, &b.seat) && a.rung());
  CHECK(queue_join(a.desk, &a.seat, &lost) == done && lost == 0);
}

TEST("queue: what the dead, or those who left, had taken is lost, and join says so once") {
  for (const bool dies : {false, true}) {
    QueueGround g;
    Guest a = g.sit(), b = g.sit();
    for (uint32_t i = 0; i < 3; i++) CHECK(a.put(Letter(8, i)) == done);
    CHECK(b.get(false, true, 3) == done && queue_done(b.desk, &b.seat));
    uint32_t lost = 9;
    CHECK(queue_join(a.desk, &a.seat, &lost) == waits);
    if (dies)
      participant_leave(g.arena, b.desk.me);
    else
      monitor_leave(g.arena, g.name.index, b.desk.me, b.seat_index);
    CHECK(a.rung() && queue_join(a.desk, &a.seat, &lost) == done && lost == 2);
    CHECK(queue_join(a.desk, nullptr, &lost) == done && lost == 0);
    CHECK(a.put(Letter(8, 1)) == done && queue_join(a.desk, nullptr, &lost) == waits);
    CHECK(a.get(false, true) == done && queue_done(a.desk, &a.seat));
    CHECK(queue_join(a.desk, nullptr, &lost) == done && lost == 0);
  }
}

TEST("queue: whoever dies at any step of get or done, join ends, and tells of one message at most") {
  for (const char* const point : {"queue.copied", "queue.got", "queue.let_go", "queue.counted_off",
                                  "queue.done_counted", "monitor.left"}) {
    QueueGround g;
    Guest a = g.sit();
    const Reference r = make_lock(g.arena, a.desk.me);
    CHECK(a.put(Letter(8, 1, {r})) == done);
    close(g.arena, a.desk.me, r.index);
    die_at(point, [&] {
      const auto real = mp_on_point;
      mp_on_point = nullptr;
      Guest c = g.sit();
      const bool in_get = strstr("queue.copied queue.got queue.let_go monitor.left", point) != nullptr;
      if (in_get) mp_on_point = real;
      c.get(false, true);
      mp_on_point = real;
      queue_done(c.desk, &c.seat);
    });
    participants_sweep(g.arena);
    uint32_t lost = 0;
    const bool still_there = strcmp(point, "queue.copied") == 0;
    CHECK(a.get(false, true) == (still_there ? done : waits));  // counts anew what is kept
    CHECK(alive(g.arena, r) == still_there);
    if (still_there) {
      CHECK(holds(g.arena, a.desk.me, r.index) && queue_done(a.desk, &a.seat));
      close(g.arena, a.desk.me, r.index);
    }
    CHECK(queue_join(a.desk, nullptr, &lost) == done);
    CHECK(lost == (still_there || strcmp(point, "queue.done_counted") == 0 ? 0 : 1));
    CHECK(!alive(g.arena, r) && g.number_kept() == 0 && g.block().block_bytes == 0);
  }
}

TEST("queue: what a message refers to lives although its sender died, until it is received and closed") {
  QueueGround g;
  const Census before = census(g.arena);
  Guest a = g.sit(), b = g.sit();
  const Reference lock = make_lock(g.arena, a.desk.me);
  const uint32_t parcel = g.new_block(a.desk.me, kParcel, 5000);
  const Reference p = name_of(g.arena, parcel);
  CHECK(a.put(Letter(5000, 0, {p, lock}, true)) == done && a.put(Letter(8, 2, {lock})) == done);
  participant_leave(g.arena, a.desk.me);
  CHECK(alive(g.arena, lock) && alive(g.arena, p) && g.number_kept() == 2);
  CHECK(b.get() == done && holds(g.arena, b.desk.me, lock.index) && holds(g.arena, b.desk.me, parcel));
  close(g.arena, b.desk.me, lock.index);
  close(g.arena, b.desk.me, parcel);
  CHECK(alive(g.arena, lock) && !alive(g.arena, p) && g.number_kept() == 1);  // the second message
  CHECK(b.get() == done && g.number_kept() == 0);
  close(g.arena, b.desk.me, lock.index);
  participant_leave(g.arena, b.desk.me);
  CHECK(!alive(g.arena, lock) && census(g.arena).objects == before.objects);
}

TEST(
    "queue: what a freed queue had in it is given back, that of a queue in it, too, and one that lies in "
    "itself") {
  for (const bool dies : {false, true}) {
    HeapGround g;
    const Census before = census(g.arena);
    const OwnerId me = enter(g.arena);
    const QueueName outer = make_queue(g, me, 512), inner = make_queue(g, me, 512);
    const auto put = [&](QueueName q, const Letter& l) {
      uint32_t units;
      platform::Failure failed;
      CHECK(queue_put(desk_at(g, q, me), l.bytes, l.units, nullptr, &units, &failed) == done);
    };
    const Reference lock = make_lock(g.arena, me);
    put(inner, Letter(8, 1, {lock}));
    put(outer, Letter(8, 1, {name_of(g.arena, inner.index), name_of(g.arena, inner.ring)}));
    put(outer, Letter(8, 1, {name_of(g.arena, outer.index), name_of(g.arena, outer.ring)}));
    for (const uint32_t i : {lock.index, inner.index, inner.ring}) close(g.arena, me, i);
    CHECK(alive(g.arena, lock) && keepers_in_use(g.arena) == 2);
    if (dies) {
      participant_leave(g.arena, me);
    } else {
      close(g.arena, me, outer.ring);
      CHECK(alive(g.arena, lock));
      close(g.arena, me, outer.index);
    }
    CHECK(!alive(g.arena, lock) && keepers_in_use(g.arena) == 0 && census(g.arena).objects == before.objects);
  }
}

TEST("queue: a reference that names nothing is refused, and nothing is put") {
  QueueGround g;
  Guest a = g.sit();
  Reference r = make_lock(g.arena, a.desk.me);
  close(g.arena, a.desk.me, r.index);
  CHECK(a.put(Letter(8, 1, {r})) == damaged && g.length() == 0);
  CHECK(a.put(Letter(8, 1, {{0, 0}})) == damaged && a.put(Letter(8, 1, {{~0u, 0}})) == damaged);
}

TEST("queue: whoever dies at any step of a put, the message is there whole or not at all") {
  for (const char* const point : {"queue.keeper_taken", "keeper.bit_set", "queue.kept", "queue.written",
                                  "queue.put", "queue.notified", "monitor.rung", "monitor.left"}) {
    QueueGround g;
    Guest a = g.sit();
    const Census before = census(g.arena);
    CHECK(a.get(true) == waits);
    const Reference* lock = new Reference(make_lock(g.arena, g.keeper));
    die_at(point, [&] {
      const auto real = mp_on_point;
      mp_on_point = nullptr;
      Guest c = g.sit();
      g.open_too(c.desk.me, lock->index);
      mp_on_point = real;
      c.put(Letter(8, 7, {*lock}));
    });
    close(g.arena, g.keeper, lock->index);
    const auto result = a.get(true);
    const bool whole = strcmp(point, "queue.put") == 0 || strncmp(point, "mon", 3) == 0 ||
                       strcmp(point, "queue.notified") == 0;
    CHECK((result == done) == whole);
    participants_sweep(g.arena);
    CHECK(alive(g.arena, *lock) == whole && (!whole || a.number() == 7));
    if (whole) close(g.arena, a.desk.me, lock->index);
    CHECK(g.block().block_bytes == 0 && g.number_kept() == 0);
    if (result == waits)
      CHECK(queue_get(a.desk, a.got, 0, 1, nullptr, nullptr, &a.units, &a.failed) == waits);
    queue_withdraw(a.desk, a.seat);
    CHECK(census(g.arena).objects == before.objects);
    delete lock;
  }
}

TEST("queue: whatever lies in its ring, nothing crashes, and nothing loops for ever") {
  std::mt19937_64 random(4);
  uint64_t refused = 0;
  for (int i = 0; i < 300; i++) {
    QueueGround g(512);
    Guest a = g.sit(), b = g.sit();
    const Reference r = make_lock(g.arena, a.desk.me);
    for (uint32_t n = 0; n < 4; n++) CHECK(a.put(Letter(40, n, {r})) == done);
    auto* at = reinterpret_cast<uint64_t*>(a.desk.ring().bytes);
    for (uint32_t u = 0; u < 512; u++)
      if (random() % 8 == 0) at[u] = random() & (random() % 2 == 0 ? ~uint64_t{0} : 0xffff'ffff'0000'00ff);
    for (uint32_t n = 0; n < 8; n++) {
      if (random() % 4 == 0) g.queue().flags.fetch_or(kDoubt);
      refused += a.get() == damaged;
      a.put(Letter(40, n, {r}));
    }
    if (random() % 2 == 0) queue_shut(b.desk, true);
    participant_leave(g.arena, a.desk.me);
    participant_leave(g.arena, b.desk.me);
  }
  CHECK(refused > 100);
}
