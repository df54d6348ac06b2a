// Pipes: what native code does of them, and what JavaScript does in its place here.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "core/bell.h"
#include "support/deaths.h"

using namespace mp;
using namespace mp::test;

namespace {

using enum PipeResult;
alignas(8) unsigned char got[kRecordUnitsMax * kUnit];

/// Waits as an end's user does: for a tail or head to move, or for the other end.
BellWait wait_at(PipeGround& g, OwnerId me, uint32_t side, uint32_t ring, bool head) {
  PipeRing& words = g.block().ring[ring];
  PipeEnd& other = g.end(1 - side);
  Word& user = head ? other.receiver : other.sender;
  Word& header = end_header(g.arena, g.ends[1 - side]);
  return {g.arena,
          g.block_index,
          head ? words.head : words.tail,
          head ? words.head : words.tail,
          me,
          nullptr,
          head ? &words.head_awaited : &words.tail_awaited,
          {{&header, header}, {&user, user}}};
}

}  // namespace

TEST("pipe: messages with references and plain ones come in order, and nothing is kept of them") {
  PipeGround g(64);
  const OwnerId a = g.use(0), b = g.use(1);
  std::mt19937 random(5);
  uint32_t put = 0, received = 0, with = 0;
  const Reference r = name_of(g.arena, create(g.arena, a));
  for (int i = 0; i < 20'000; i++) {
    if (random() % 2 == 0) {
      const uint32_t bytes = 4 + random() % 90;
      put += random() % 2 ? g.put_plain(0, Letter(bytes, put)) : g.put(a, 0, Letter(bytes, put, {r})) == done;
    } else {
      uint32_t number = ~0u;
      if (!g.get_plain(0, &number)) {
        const auto result = g.get(b, 0, got);
        CHECK((result == waits) == (put == received));
        if (result == waits) continue;
        number = number_of(got);
        with++;
        CHECK(holds(g.arena, b, r.index));
        close(g.arena, b, r.index);
      }
      CHECK(number == received++);
    }
  }
  CHECK(received > 1000 && with > 1000);
  uint32_t number;
  for (; put != received; received++) CHECK(g.get_plain(0, &number) || g.get(b, 0, got) == done);
  CHECK(g.number_kept() == 0 && g.get(b, 0, got) == waits);
}

TEST("pipe: an object lives as long as a message in either direction refers to it") {
  PipeGround g;
  const Census before = census(g.arena);
  const OwnerId a = g.use(0), b = g.use(1);
  const Reference r = name_of(g.arena, create(g.arena, a));
  g.open_too(b, r.index);
  CHECK(g.put(a, 0, Letter(8, 1, {r})) == done && g.put(a, 0, Letter(8, 2, {r})) == done);
  CHECK(g.put(b, 1, Letter(8, 3, {r})) == done);
  close(g.arena, a, r.index);
  close(g.arena, b, r.index);
  for (int i = 0; i < 2; i++) {
    CHECK(alive(g.arena, r) && g.get(b, 0, got) == done);
    close(g.arena, b, r.index);
  }
  CHECK(alive(g.arena, r) && g.get(a, 1, got) == done && g.number_kept() == 0);
  close(g.arena, a, r.index);
  CHECK(!alive(g.arena, r));
  participant_leave(g.arena, a);
  participant_leave(g.arena, b);
  CHECK(census(g.arena).objects == before.objects);
}

TEST("pipe: too large, no room, a name of nothing") {
  PipeGround g(64);
  const OwnerId a = g.use(0);
  const Reference r = name_of(g.arena, create(g.arena, a));
  CHECK(g.put(a, 0, Letter(14 * kUnit, 1, {r})) == done &&
        g.put(a, 0, Letter(15 * kUnit, 1, {r})) == too_large);
  while (g.put_plain(0, Letter(24, 1))) {
  }
  CHECK(g.put(a, 0, Letter(24, 1, {r})) == waits && g.number_kept() == 1);
  close(g.arena, a, r.index);
  CHECK(alive(g.arena, r));
  CHECK(g.put(a, 1, Letter(8, 1, {{r.index, r.header + 256}})) == damaged && g.number_kept() == 1);
}

TEST("pipe: whoever dies at any step of a put or get has put or got it, or not, and nothing is left") {
  for (const char* const point : {"keeper.taken", "pipe.doubted", "keeper.bit_set", "pipe.written",
                                  "pipe.put", "pipe.copied", "pipe.got", "pipe.let_go"}) {
    PipeGround g;
    const Census before = census(g.arena);
    const bool gets = strstr("pipe.copied pipe.got pipe.let_go", point) != nullptr;
    const uint32_t mine = gets ? 0 : 1;
    const OwnerId a = g.use(mine);
    const Reference r = name_of(g.arena, create(g.arena, a)), own = name_of(g.arena, create(g.arena, a));
    if (gets) CHECK(g.put(a, 0, Letter(8, 5, {r})) == done);
    const pid_t child = fork();
    if (child == 0) {
      static const char* where;
      where = point;
      const OwnerId c = g.use(1 - mine);
      g.open_too(c, r.index);
      mp_on_point = [](const char* p) {
        if (strcmp(p, where) == 0) kill(getpid(), SIGKILL);
      };
      gets ? g.get(c, 0, got) : g.put(c, 0, Letter(8, 5, {r}));
      _exit(1);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    close(g.arena, a, r.index);
    participants_sweep(g.arena);
    CHECK(g.end(1 - mine).sender == kAbandoned && g.end(1 - mine).receiver == kAbandoned);
    const bool there = strcmp(point, "pipe.put") == 0 || strcmp(point, "pipe.copied") == 0;
    const OwnerId next = g.use(1 - mine);
    CHECK(g.put(next, 1 - mine, Letter(8, 6, {own})) == done);
    const OwnerId reader = gets ? next : a;
    CHECK(alive(g.arena, r) == there);
    if (there) {
      CHECK(g.get(reader, 0, got) == done && number_of(got) == 5 && holds(g.arena, reader, r.index));
      close(g.arena, reader, r.index);
    }
    CHECK(!alive(g.arena, r));
    participant_leave(g.arena, a);
    participant_leave(g.arena, next);
    g.close_all(g.keeper);
    CHECK(!alive(g.arena, own) && keepers_in_use(g.arena) == 0 &&
          census(g.arena).objects == before.objects - 3);
  }
}

TEST("pipe: where a writer died within a put, plain messages of the next one keep nothing alive") {
  PipeGround g;
  const OwnerId b = g.use(1);
  const Reference r = name_of(g.arena, create(g.arena, b)), own = name_of(g.arena, create(g.arena, b));
  die_at("pipe.written", [&] {
    const OwnerId c = g.use(0);
    g.open_too(c, r.index);
    g.put(c, 0, Letter(8, 5, {r}));
  });
  participants_sweep(g.arena);
  const OwnerId next = g.use(0);
  CHECK(g.put_plain(0, Letter(200, 6)));
  CHECK(g.put(b, 1, Letter(8, 7, {own})) == done && g.number_kept() == 1);
  CHECK(g.get(next, 1, got) == done && g.number_kept() == 0);
  close(g.arena, b, r.index);
  CHECK(!alive(g.arena, r));
}

TEST("pipe: what was plain traffic beside it does not make it let go of what is under way") {
  // An end may be used by two: one sends, another receives. Who looks through both rings knows of neither.
  PipeGround g(512);
  const OwnerId a = g.use(0), b = g.use(1);
  const Reference r = name_of(g.arena, create(g.arena, a)), s = name_of(g.arena, create(g.arena, a));
  g.open_too(b, r.index);
  uint64_t looks = 0;
  for (int round = 0; round < 300; round++) {
    uint32_t number;
    while (g.block().ring[1].tail - g.block().ring[1].head < 350) CHECK(g.put_plain(1, Letter(4, ~0u)));
    CHECK(g.put(b, 1, Letter(8, 1, {r})) == done);
    std::atomic<bool> ended{false};
    std::thread traffic([&] {
      while (g.get_plain(1, &number)) {
        while (g.put_plain(1, Letter(48, 0x3ffff0))) {  // what is no record, wherever one begins that is
        }
      }
      ended = true;
    });
    while (!ended) {
      g.block().doubt = 1;
      CHECK(g.put(a, 0, Letter(8, 2, {s})) == done && g.get(b, 0, got) == done);
      CHECK(g.number_kept() == 1);
      looks++;
    }
    traffic.join();
    CHECK(g.get(a, 1, got) == done && number_of(got) == 1 && g.number_kept() == 0);
    while (g.get_plain(1, &number)) {
    }
  }
  CHECK(looks > 300);
}

TEST("pipe: a mark says what its sleeper has seen: who wakes it does not wipe out the next one") {
  PipeGround g;
  const OwnerId b = g.use(1);
  PipeRing& words = g.block().ring[0];
  const BellWait first = wait_at(g, b, 1, 0, false);
  bell_expect(first);
  CHECK(words.tail_awaited != 0);
  words.tail = 2;
  CHECK(bell_rung(first));
  uint32_t seen = words.tail_awaited;  // the writer has seen the mark, and is about to wipe it out
  const BellWait second = wait_at(g, b, 1, 0, false);
  bell_expect(second);
  CHECK(!words.tail_awaited.compare_exchange_strong(seen, 0));
  pipe_wake(words.tail, words.tail_awaited);
  CHECK(words.tail_awaited != 0);
  words.tail = 4;
  pipe_wake(words.tail, words.tail_awaited);
  CHECK(words.tail_awaited == 0);
}

TEST("pipe: who waits hears of a message, of room, of the other end's closing and of its user's death") {
  for (const int how : {0, 1, 2, 3}) {
    PipeGround g(64);
    const OwnerId b = g.use(1);
    const pid_t child = fork();
    if (child == 0) {
      const OwnerId a = g.use(0);
      while (how == 1 && g.put_plain(1, Letter(8, 1))) {
      }
      g.block().reserved[0] = 1;
      while (g.block().ring[how == 1].tail_awaited == 0 && g.block().ring[how == 1].head_awaited == 0)
        platform::yield();
      uint32_t number;
      if (how == 0) g.put_plain(0, Letter(8, 1));
      if (how == 1) g.get_plain(1, &number);
      if (how == 2) {
        g.end(0).sender = 0;
        close(g.arena, a, g.ends[0]);
      }
      if (how == 3) kill(getpid(), SIGKILL);
      _exit(0);
    }
    while (*const_cast<volatile uint32_t*>(&g.block().reserved[0]) == 0) platform::yield();
    close(g.arena, g.keeper, g.ends[0]);
    do {
      const BellWait wait = wait_at(g, b, 1, how == 1 ? 1 : 0, how == 1);
      if (how == 2 && end_header(g.arena, g.ends[0]) != g.end(1).other_header) break;
      CHECK(bell_wait(wait, in(20 * kSecond), nullptr) == Outcome::acquired);
    } while (how == 2);  // its user is gone before it is closed, which may be heard, too
    waitpid(child, nullptr, 0);
    if (how == 3) {
      participants_sweep(g.arena);
      CHECK(g.end(0).sender == kAbandoned || end_header(g.arena, g.ends[0]) != g.end(1).other_header);
    }
  }
}

TEST("pipe: an end that lies in its own pipe goes with it") {
  PipeGround g;
  const OwnerId a = g.use(0);
  const Census before = census(g.arena);
  CHECK(g.put(a, 0, Letter(8, 1, {name_of(g.arena, g.ends[1]), name_of(g.arena, g.block_index)})) == done);
  g.close_all(g.keeper);
  CHECK(census(g.arena).objects == before.objects);
  g.close_all(a);
  CHECK(census(g.arena).objects == before.objects - 3 && keepers_in_use(g.arena) == 0);
}

TEST("pipe: whatever lies in its rings, nothing crashes, and nothing loops for ever") {
  std::mt19937_64 random(6);
  uint64_t refused = 0;
  for (int i = 0; i < 300; i++) {
    PipeGround g(512);
    const OwnerId a = g.use(0), b = g.use(1);
    const Reference r = name_of(g.arena, create(g.arena, a));
    g.open_too(b, r.index);
    for (uint32_t n = 0; n < 4; n++) {
      CHECK(g.put(a, 0, Letter(40, n, {r})) == done && g.put(b, 1, Letter(40, n, {r})) == done);
    }
    auto* at = reinterpret_cast<uint64_t*>(&g.block() + 1);
    for (uint32_t u = 0; u < 1024; u++)
      if (random() % 8 == 0) at[u] = random() & (random() % 2 == 0 ? ~uint64_t{0} : 0xffff'ffff'0000'00ff);
    if (random() % 8 == 0) g.block().ring[random() % 2].head = static_cast<uint32_t>(random());
    if (random() % 8 == 0) g.block().keeper = static_cast<uint32_t>(random());
    for (uint32_t n = 0; n < 8; n++) {
      g.block().doubt = random() % 2;
      refused += g.get(b, 0, got) == damaged;
      refused += g.get(a, 1, got) == damaged;
      g.put(a, 0, Letter(40, n, {r}));
    }
    participant_leave(g.arena, a);
    participant_leave(g.arena, b);
  }
  CHECK(refused > 100);
}
