// Queues, one step after the other: several participants of one thread. What happens at the same time, or in the middle, is
// the exploration's (fake/) and the storm's.
#include <random>

#include "support/deaths.h"
#include "support/queues.h"

using namespace mp;
using namespace mp::test;

namespace {

using enum QueueResult;

}  // namespace

TEST("queue: messages come in order, whoever puts and gets") {
  QueueGround g;
  Guest a = g.sit(), b = g.sit();
  uint32_t put = 0, got = 0;
  std::mt19937 random(3);
  for (int i = 0; i < 5000; i++) {
    if (random() % 2 == 0) {
      put += (random() % 2 ? a : b).put(Letter(4 + random() % 900, put)) == done;
    } else {
      Guest& who = random() % 2 ? a : b;
      const auto result = who.get();
      CHECK((result == done) == (got < put));
      if (result == done) CHECK(who.number() == got++);
    }
    CHECK(g.length() == put - got);
  }
  while (a.get() == done) got++;
  CHECK(got == put && put > 1000 && g.block().block_bytes == 0);
}

TEST("queue: several with one call, as far as they go, are in it whole") {
  QueueGround g(512);
  Guest a = g.sit(), b = g.sit();
  Letter many(0);
  many.units = 0;
  for (uint32_t i = 0; i < 10; i++) {
    const Letter one(500, i);
    memcpy(many.bytes + many.units * kUnit, one.bytes, one.units * kUnit);
    many.units += one.units;
  }
  uint32_t done_units;
  CHECK(queue_put(a.desk, many.bytes, many.units, nullptr, &done_units, &a.failed) == waits);
  CHECK(g.length() == 8 && done_units == 8 * many.units / 10);
  CHECK(b.get(false, false, 5) == done && b.units == many.units / 2 && b.number() == 0);
  CHECK(b.get(false, false, 5) == done && b.units == 3 * many.units / 10 && b.number() == 5);
  // One that is cut off
  CHECK(queue_put(a.desk, many.bytes, many.units / 5 - 1, nullptr, &done_units, &a.failed) == damaged);
  CHECK(g.length() == 1);
}

TEST("queue: it holds maxsize messages, and max_bytes of them, but always one") {
  QueueGround g(512, 2, 1000);
  Guest a = g.sit();
  CHECK(a.put(Letter(8, 1)) == done && a.put(Letter(8, 2)) == done && a.put(Letter(8, 3)) == waits);
  CHECK(a.get() == done && a.number() == 1 && a.put(Letter(8, 3)) == done && a.put(Letter(8, 4)) == waits);
  while (a.get() == done) {
  }
  CHECK(a.put(Letter(700, 1)) == done && a.put(Letter(700, 2)) == waits && a.put(Letter(100, 3)) == done);
  while (a.get() == done) {
  }
  CHECK(a.put(Letter(1000, 1)) == too_large);  // with its head
  CHECK(a.put(Letter(992, 1)) == done && a.put(Letter(4, 1)) == waits);
  CHECK(g.bytes() == 1000);
}

TEST("queue: a record of a quarter of the ring is the longest") {
  QueueGround g(512);
  Guest a = g.sit();
  for (int i = 0; i < 50; i++) {
    CHECK(a.put(Letter(127 * kUnit, 1)) == done && a.get() == done && a.units == 128);
    CHECK(a.put(Letter(i * 8, 1)) == done && a.get() == done);
  }
  CHECK(a.put(Letter(128 * kUnit, 1)) == too_large);
}

TEST("queue: the bytes of a message are also those of its parcels") {
  QueueGround g(512, 0, 10'000);
  Guest a = g.sit();
  const uint32_t parcel = g.new_block(a.desk.me, kParcel, 6000);
  CHECK(a.put(Letter(6000, 0, {name_of(g.arena, parcel)}, true)) == done);
  CHECK(g.block().block_bytes == 6000 && g.bytes() == 6000 + 2 * kUnit && g.block().carriers == 1);
  const uint32_t second = g.new_block(a.desk.me, kParcel, 6000);
  CHECK(a.put(Letter(6000, 0, {name_of(g.arena, second)}, true)) == waits);
  const uint32_t third = g.new_block(a.desk.me, kParcel, 10'000);
  CHECK(a.put(Letter(10'000, 0, {name_of(g.arena, third)}, true)) == too_large);
  CHECK(a.get() == done && g.block().block_bytes == 0 && g.block().carriers == 0);
}

TEST("queue: who waits for a message is notified in order, one for each, and by nobody else") {
  QueueGround g;
  Guest a = g.sit(), b = g.sit(), c = g.sit(), p = g.sit();
  CHECK(a.get(true) == waits && b.get(true) == waits && c.get(true) == waits);
  CHECK(g.queue().waiting == 3 && !a.rung());
  CHECK(p.put(Letter(8, 1)) == done && a.rung() && a.notified() && !b.rung());
  CHECK(p.put(Letter(8, 2)) == done && b.rung() && !c.rung());
  // Somebody else is faster: whoever came in vain is first in line again.
  CHECK(p.get() == done && p.get() == done && a.get(true) == waits && a.waits() && b.get(true) == waits);
  CHECK(p.put(Letter(8, 3)) == done && a.rung() && !b.rung() && !c.rung());
  CHECK(a.get(true) == done && a.number() == 3 && !a.waits() && !a.notified());
  CHECK(p.put(Letter(8, 4)) == done && b.rung() && b.get(true) == done);
  CHECK(p.put(Letter(8, 5)) == done && c.rung() && c.get(true) == done && g.queue().waiting == 0);
}

TEST("queue: who was notified and leaves, dies, is late or fails passes it on") {
  QueueGround g;
  Guest p = g.sit();
  enum How { kWithdraws, kDies, kLeaves, kIsLate, kFails };
  for (const How how : {kWithdraws, kDies, kLeaves, kIsLate, kFails}) {
    Guest a = g.sit(), b = g.sit();
    CHECK(a.get(true) == waits && b.get(true) == waits);
    CHECK(p.put(Letter(80, 1)) == done && a.notified() && !b.rung());
    if (how == kWithdraws) queue_withdraw(a.desk, a.seat);
    if (how == kDies) participant_leave(g.arena, a.desk.me);
    if (how == kLeaves) monitor_leave(g.arena, g.name.index, a.desk.me, a.seat_index);
    if (how == kIsLate) CHECK(queue_pass_on(g.arena, g.name.index, a.desk.me, a.seat) && a.waits());
    if (how == kFails)
      CHECK(queue_get(a.desk, a.got, 2, 1, &a.seat, nullptr, &a.units, &a.failed) == too_large);
    CHECK(b.rung() && b.notified());
    if (how == kIsLate) CHECK(!queue_pass_on(g.arena, g.name.index, b.desk.me, b.seat) || a.notified());
    CHECK(b.get(true) == done && b.number() == 1);
    if (how != kDies) participant_leave(g.arena, a.desk.me);
    participant_leave(g.arena, b.desk.me);
    CHECK(g.queue().waiting == 0);
  }
}

TEST("queue: room is told of in order, and a large record is not starved by small ones") {
  QueueGround g(64);
  Guest big = g.sit(), small = g.sit(), getter = g.sit();
  uint32_t n = 0;
  while (small.put(Letter(24, n)) == done) n++;
  CHECK(n == 16);
  CHECK(big.put(Letter(120, 100), true) == waits && small.put(Letter(24, n), true) == waits);
  CHECK(getter.get() == done && big.notified() && !small.rung());
  CHECK(big.put(Letter(120, 100), true) == waits && big.waits());  // in vain: it needs more
  CHECK(g.queue().flags & kStrict);
  Guest late = g.sit();
  CHECK(late.put(Letter(24, 200)) == waits);  // though it would fit
  CHECK(small.put(Letter(24, n), true) == waits);
  for (int i = 0; i < 3; i++) CHECK(getter.get() == done);
  CHECK(big.notified() && big.put(Letter(120, 100), true) == done);
  CHECK(!(g.queue().flags & kStrict) && small.notified());
  CHECK(getter.get() == done && small.put(Letter(24, n), true) == done && g.queue().waiting == 0);
}

TEST("queue: who wanted much room and leaves lets the others go on") {
  for (const bool dies : {false, true}) {
    QueueGround g(64);
    Guest big = g.sit(), small = g.sit(), getter = g.sit();
    uint32_t n = 0;
    while (small.put(Letter(24, n)) == done) n++;
    CHECK(big.put(Letter(120, 100), true) == waits && small.put(Letter(24, n), true) == waits);
    CHECK(getter.get() == done && big.put(Letter(120, 100), true) == waits && !small.rung());
    if (dies)
      participant_leave(g.arena, big.desk.me);
    else
      queue_withdraw(big.desk, big.seat);
    CHECK(small.notified() && small.put(Letter(24, n), true) == done);
  }
}

TEST("queue: one that went first and died before it could say so keeps nobody out") {
  for (const char* const point : {"queue.left_line", "queue.ticket_taken", "queue.in_line"}) {
    QueueGround g(64);
    Guest big = g.sit(), getter = g.sit();
    while (big.put(Letter(24, 0)) == done) {
    }
    die_at(point, [&] {
      const auto real = mp_on_point;
      mp_on_point = nullptr;
      Guest c = g.sit();
      CHECK(c.put(Letter(120, 1), true) == waits && getter.get() == done);
      if (strcmp(point, "queue.left_line") == 0) {
        CHECK(c.put(Letter(120, 1), true) == waits);
        mp_on_point = real;
        queue_withdraw(c.desk, c.seat);
      } else {
        mp_on_point = real;
        c.put(Letter(120, 1), true);
      }
    });
    participants_sweep(g.arena);
    CHECK(big.put(Letter(24, 0)) == done);
    CHECK(big.put(Letter(24, 0)) == waits && g.queue().waiting == 0);
  }
}

TEST("queue: shut, no more is put, what is there can be got, and all who wait are told") {
  QueueGround g(64);
  Guest a = g.sit(), b = g.sit(), c = g.sit();
  CHECK(a.get(true) == waits && b.get(true) == waits);
  queue_shut(c.desk, false);
  CHECK(a.rung() && b.rung() && a.get(true) == shut && b.get(true) == shut && c.put(Letter(8, 1)) == shut);

  QueueGround h(64);
  Guest e = h.sit(), f = h.sit();
  while (e.put(Letter(24, 9), false) == done) {
  }
  CHECK(e.put(Letter(24, 9), true) == waits);
  queue_shut(f.desk, false);
  CHECK(e.rung() && e.put(Letter(24, 9), true) == shut && h.length() == 16);
  for (int i = 0; i < 16; i++) CHECK(f.get() == done);
  CHECK(f.get() == shut);
}

TEST("queue: shut and discarded, nothing is left, and nothing is to be dealt with") {
  QueueGround g;
  Guest a = g.sit(), b = g.sit();
  const Census before = census(g.arena);
  const Reference r = make_lock(g.arena, a.desk.me);
  CHECK(a.put(Letter(8, 1, {r})) == done && a.put(Letter(8, 2)) == done && a.put(Letter(8, 3)) == done);
  close(g.arena, a.desk.me, r.index);
  CHECK(alive(g.arena, r));
  uint32_t lost = 9;
  CHECK(b.get(false, true) == done);
  if (holds(g.arena, b.desk.me, r.index)) close(g.arena, b.desk.me, r.index);
  CHECK(queue_join(a.desk, &a.seat, &lost) == waits);
  queue_shut(a.desk, true);
  CHECK(g.length() == 0 && g.block().block_bytes == 0 && g.block().carriers == 0 && b.get() == shut);
  CHECK(queue_join(a.desk, &a.seat, &lost) == waits && queue_done(b.desk, &b.seat) && a.notified());
  CHECK(queue_join(a.desk, &a.seat, &lost) == done && lost == 0 && !queue_done(b.desk, &b.seat));
  CHECK(census(g.arena).objects == before.objects && g.number_kept() == 0);
}
