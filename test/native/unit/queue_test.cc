// Queues, one step after the other: several participants of one thread. What happens at the same time, or in the middle, is
// the exploration's (fake/) and the storm's.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "support/queues.h"

extern void (*mp_on_point)(const char*);

using namespace mp;
using namespace mp::test;

namespace {

using enum QueueResult;

/// Has a child of this process become a participant and do something, and die at a point of it.
template <class F>
void die_at(const char* point, F body) {
  const pid_t child = fork();
  if (child == 0) {
    static const char* where;
    where = point;
    mp_on_point = [](const char* p) {
      if (strcmp(p, where) == 0) kill(getpid(), SIGKILL);
    };
    body();
    _exit(1);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
}

/// A lock that only its reference in a message is to keep.
Reference make_lock(const Arena& arena, OwnerId me) { return name_of(arena, create(arena, me)); }

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
  CHECK(got == put && put > 1000 && g.block().bytes == 0);
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
  CHECK(g.block().bytes == 1000);
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
  CHECK(g.block().bytes == 6000 + 2 * kUnit && g.block().carriers == 1);
  const uint32_t second = g.new_block(a.desk.me, kParcel, 6000);
  CHECK(a.put(Letter(6000, 0, {name_of(g.arena, second)}, true)) == waits);
  const uint32_t third = g.new_block(a.desk.me, kParcel, 10'000);
  CHECK(a.put(Letter(10'000, 0, {name_of(g.arena, third)}, true)) == too_large);
  CHECK(a.get() == done && g.block().bytes == 0 && g.block().carriers == 0);
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
  CHECK(g.length() == 0 && g.block().bytes == 0 && g.block().carriers == 0 && b.get() == shut);
  CHECK(queue_join(a.desk, &a.seat, &lost) == waits && queue_done(b.desk, &b.seat) && a.notified());
  CHECK(queue_join(a.desk, &a.seat, &lost) == done && lost == 0 && !queue_done(b.desk, &b.seat));
  CHECK(census(g.arena).objects == before.objects && g.number_kept() == 0);
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
    CHECK(!alive(g.arena, r) && g.number_kept() == 0 && g.block().bytes == 0);
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
    CHECK(g.block().bytes == 0 && g.number_kept() == 0);
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
