// Keepers by themselves: taking them, what they keep alive, and who empties them.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/queues.h"

extern void (*mp_on_point)(const char*);

using namespace mp;
using namespace mp::test;

namespace {

uint32_t take(const Arena& arena, OwnerId me, uint32_t queue) {
  uint32_t number = 0;
  CHECK(!keeper_take(arena, me, queue, &number));
  CHECK(number != 0);
  return number;
}
void keep(const Arena& arena, uint32_t number, uint32_t index) { CHECK(!keeper_set(arena, number, index)); }

}  // namespace

TEST("keeper: what it has lives on without a holder, and goes when it lets go") {
  HeapGround g;
  const OwnerId other = enter(g.arena);
  const uint32_t q = create(g.arena, g.keeper, kQueue), lock = create(g.arena, other);
  const Reference r = name_of(g.arena, lock);
  const uint32_t number = take(g.arena, g.keeper, q);
  keep(g.arena, number, lock);
  participant_leave(g.arena, other);
  CHECK(alive(g.arena, r));
  keeper_drop(g.arena, owner_slot(g.keeper), number, lock);
  CHECK(!alive(g.arena, r) && kept(g.arena, number) == 0);
}

TEST("keeper: an object has one, and it is free for another when the object is freed") {
  HeapGround g;
  const uint32_t a = create(g.arena, g.keeper, kQueue), b = create(g.arena, g.keeper, kPipe);
  const uint32_t first = take(g.arena, g.keeper, a);
  CHECK(take(g.arena, g.keeper, a) == first && take(g.arena, g.keeper, b) != first);
  CHECK(keepers_in_use(g.arena) == 2);
  const uint32_t lock = create(g.arena, g.keeper);
  const Reference r = name_of(g.arena, lock);
  keep(g.arena, first, lock);
  close(g.arena, g.keeper, lock);
  CHECK(alive(g.arena, r));
  close(g.arena, g.keeper, a);
  CHECK(!alive(g.arena, r) && keepers_in_use(g.arena) == 1);
  const uint32_t c = create(g.arena, g.keeper, kQueue);
  CHECK(take(g.arena, g.keeper, c) == first && kept(g.arena, first) == 0);
}

TEST("keeper: there are 1023, then none; given back they can be had again") {
  HeapGround g;
  std::vector<uint32_t> queues;
  uint32_t number = 0;
  for (uint32_t i = 1; i < kKeeperMax; i++) {
    queues.push_back(create(g.arena, g.keeper, kQueue));
    CHECK(take(g.arena, g.keeper, queues.back()) == i);
  }
  const uint32_t one_more = create(g.arena, g.keeper, kQueue);
  CHECK(keeper_take(g.arena, g.keeper, one_more, &number).code == 28);
  close(g.arena, g.keeper, queues[500]);
  CHECK(take(g.arena, g.keeper, one_more) == 501);
  for (const uint32_t q : queues)
    if (q != queues[500]) close(g.arena, g.keeper, q);
  CHECK(keepers_in_use(g.arena) == 1);
}

TEST(
    "keeper: queues inside queues, as deep as there can be, go with the outermost, on a thread's stack too") {
  for (const bool in_thread : {false, true}) {
    HeapGround g;
    const Census before = census(g.arena);
    std::vector<uint32_t> chain;
    for (uint32_t i = 1; i < kKeeperMax; i++) {
      chain.push_back(create(g.arena, g.keeper, kQueue));
      const uint32_t number = take(g.arena, g.keeper, chain.back());
      if (i == 1) continue;
      keep(g.arena, number, chain[i - 2]);
      close(g.arena, g.keeper, chain[i - 2]);
    }
    static HeapGround* ground;
    static uint32_t outermost;
    ground = &g, outermost = chain.back();
    const auto body = [](void*) { close(ground->arena, ground->keeper, outermost); };
    platform::Thread thread;
    if (in_thread) {
      CHECK(!platform::thread_start("deep", body, nullptr, &thread));
      platform::thread_join(thread);
    } else {
      body(nullptr);
    }
    CHECK(keepers_in_use(g.arena) == 0 && census(g.arena).objects == before.objects);
  }
}

TEST("keeper: an object's own keeper does not keep it") {
  HeapGround g;
  const uint32_t q = create(g.arena, g.keeper, kQueue);
  const Reference r = name_of(g.arena, q);
  keep(g.arena, take(g.arena, g.keeper, q), q);
  close(g.arena, g.keeper, q);
  CHECK(!alive(g.arena, r) && keepers_in_use(g.arena) == 0);
}

TEST("keeper: who empties one while it leaves is not taken for dead") {
  HeapGround g;
  const OwnerId leaver = enter(g.arena);
  const uint32_t q = create(g.arena, g.keeper, kQueue), lock = create(g.arena, g.keeper);
  const uint32_t number = take(g.arena, g.keeper, q);
  keep(g.arena, number, lock);
  close(g.arena, g.keeper, lock);
  // The leaver is ending, and frees the queue then: somebody granted it late. In the middle another one looks.
  static HeapGround* ground;
  static OwnerId self;
  static uint32_t keeper_number, seen;
  static uint32_t late;
  ground = &g, self = leaver, keeper_number = 0, seen = 0, late = q;
  mp_on_point = [](const char* point) {
    if (strcmp(point, "sweep.ending") == 0) {
      ground->arena.holder_cell(owner_slot(self), late).fetch_or(holder_bit(late));
      mp_on_point = nullptr;
      close(ground->arena, ground->keeper, late);  // frees it: the leaver's bit does not count
      CHECK(keepers_in_use(ground->arena) == 0);
      // As if the freer had stopped before it could empty the keeper.
      const uint32_t q2 = create(ground->arena, ground->keeper, kQueue);
      const uint32_t lock2 = create(ground->arena, ground->keeper);
      keeper_number = take(ground->arena, ground->keeper, q2);
      keep(ground->arena, keeper_number, lock2);
      close(ground->arena, ground->keeper, lock2);
      auto& header = ground->arena.slot(q2).header;
      ground->arena.holder_cell(owner_slot(ground->keeper), q2).fetch_and(~holder_bit(q2));
      header.store(header_of(header_generation(header.load()) + 1, kFree));
      mp_on_point = [](const char* inner) {
        if (strcmp(inner, "keeper.bit_cleared") != 0) return;
        mp_on_point = nullptr;
        // The leaver is at it: nobody else may be.
        const uint32_t changer = ground->arena.keeper(keeper_number).changer;
        CHECK(owner_slot(changer) == owner_slot(self));
        keepers_sweep(ground->arena, owner_slot(ground->keeper));
        CHECK(ground->arena.keeper(keeper_number).changer == changer);
        CHECK(ground->arena.keeper(keeper_number).object != 0);
        seen++;
      };
    }
  };
  participant_leave(g.arena, leaver);
  mp_on_point = nullptr;
  CHECK(seen == 1 && keepers_in_use(g.arena) == 0);
}

TEST("keeper: whoever dies at any step of taking or emptying one leaves nothing") {
  for (const char* const point : {"keeper.changing", "keeper.taken", "keeper.bit_set", "keeper.bit_cleared",
                                  "keeper.emptied", "keeper.given_back"}) {
    HeapGround g;
    const Census before = census(g.arena);
    const pid_t child = fork();
    if (child == 0) {
      static const char* where;
      where = point;
      mp_on_point = [](const char* p) {
        if (strcmp(p, where) == 0) kill(getpid(), SIGKILL);
      };
      const OwnerId me = enter(g.arena);
      const uint32_t q = create(g.arena, me, kQueue), inner = create(g.arena, me, kQueue),
                     lock = create(g.arena, me);
      const uint32_t number = take(g.arena, me, q);
      keep(g.arena, number, inner);
      const uint32_t other = take(g.arena, me, inner);
      keep(g.arena, other, lock);
      close(g.arena, me, lock);
      close(g.arena, me, inner);
      close(g.arena, me, q);
      _exit(1);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    CHECK(participants_sweep(g.arena) == 1);
    CHECK(census(g.arena).objects == before.objects);
    CHECK(keepers_in_use(g.arena) == 0);
    // And what is left of its right to change is in nobody's way.
    const uint32_t q = create(g.arena, g.keeper, kQueue);
    CHECK(take(g.arena, g.keeper, q) == 1);
  }
}
