#include <thread>

#include "support/arena.h"

using namespace mp;
using namespace mp::test;

TEST("participants: enter, leave, and a slot used again has another id") {
  Arena arena = make_arena();
  const OwnerId a = enter(arena);
  platform::Watch watch;
  CHECK(!owner_dead(arena, a, &watch));
  participant_leave(arena, a);
  CHECK(owner_dead(arena, a, &watch));
  const OwnerId b = enter(arena);
  CHECK(owner_slot(b) == owner_slot(a) && b != a);
  CHECK(owner_dead(arena, a, &watch) && !owner_dead(arena, b, &watch));
  CHECK(census(arena).participants == 1);
  drop_arena(arena);
}

TEST("participants: leaving gives back locks, as abandoned, and references") {
  Arena arena = make_arena();
  const OwnerId me = enter(arena), other = enter(arena);
  const uint32_t shared = create(arena, me), own = create(arena, other);
  CHECK(open(arena, other, shared, generation_of(arena, shared)));
  CHECK(lock_try(arena, arena.slot(shared), other) == Outcome::acquired);
  participant_leave(arena, other);
  CHECK(header_kind(arena.slot(own).header.load()) == kFree);
  CHECK((arena.slot(shared).word.load() & kOwnerMask) == kAbandoned);
  CHECK(lock_try(arena, arena.slot(shared), me) == Outcome::abandoned);
  drop_arena(arena);
}

TEST("participants: a thread that ends without leaving is dead while its process lives on") {
  Arena arena = make_arena();
  const OwnerId me = enter(arena);
  const uint32_t l = create(arena, me);
  OwnerId worker = 0;
  std::thread([&] {
    worker = enter(arena);
    CHECK(open(arena, worker, l, generation_of(arena, l)));
    CHECK(lock_try(arena, arena.slot(l), worker) == Outcome::acquired);
    create(arena, worker);
  }).join();
  platform::Watch watch;
  CHECK(owner_dead(arena, worker, &watch));
  const int64_t before = platform::monotonic_now();
  CHECK(lock_acquire(arena, arena.slot(l), me, in(5 * kSecond), nullptr) == Outcome::abandoned);
  CHECK(platform::monotonic_now() - before <
        kSecond / 2);  // not confirmed until the process ends, which it will not
  CHECK(participants_sweep(arena) == 1);
  CHECK(participants_sweep(arena) == 0);
  CHECK(census(arena).objects == 1 && census(arena).participants == 1);
  CHECK((arena.slot(l).word.load() & kOwnerMask) == me);
  drop_arena(arena);
}

TEST("participants: entering sweeps the dead one whose slot it takes") {
  Arena arena = make_arena();
  OwnerId first = 0;
  uint32_t l = 0;
  std::thread([&] {
    first = enter(arena);
    l = create(arena, first);
    CHECK(lock_try(arena, arena.slot(l), first) == Outcome::acquired);
  }).join();
  const OwnerId next = enter(arena);
  CHECK(owner_slot(next) == owner_slot(first));
  CHECK(census(arena).objects == 0);
  drop_arena(arena);
}

TEST("participants: a generation wraps and the old ids stay dead") {
  Arena arena = make_arena();
  OwnerId me = enter(arena);
  const uint32_t slot = owner_slot(me);
  participant_leave(arena, me);
  arena.participant(slot).state.store((kGenerationMax - 1) << 1);
  const OwnerId wrapped = enter(arena);
  CHECK(owner_generation(wrapped) == 0 && owner_slot(wrapped) == slot);
  platform::Watch watch;
  CHECK(!owner_dead(arena, wrapped, &watch) && owner_dead(arena, owner_id(slot, kGenerationMax - 1), &watch));
  CHECK(lock_try(arena, arena.slot(create(arena, wrapped)), wrapped) == Outcome::acquired);
  participant_leave(arena, wrapped);
  CHECK(owner_dead(arena, wrapped, &watch) && census(arena).objects == 0);
  drop_arena(arena);
}

TEST("participants: ids that cannot be are dead, not out of bounds") {
  Arena arena = make_arena();
  platform::Watch watch;
  for (const OwnerId id : {owner_id(0, 5), owner_id(4095, 9), kOwnerMask, owner_id(1, 0)})
    CHECK(owner_dead(arena, id, &watch));
  drop_arena(arena);
}

TEST("participants: 4,095 fit, one more is told so") {
  Arena arena = make_arena();
  OwnerId last = 0;
  for (uint32_t n = 1; n < kParticipantMax; n++) last = enter(arena);
  platform::Failure failed;
  CHECK(participant_enter(arena, {1, 1, 0, 1}, &failed) == 0 && failed.code == 11);
  participant_leave(arena, last);
  CHECK(owner_slot(enter(arena)) == kParticipantMax - 1);
  drop_arena(arena);
}

TEST("participants: info and name; a long name is cut at a character") {
  Arena arena = make_arena();
  const OwnerId me = enter(arena);
  Identity who;
  char name[kNameBytes];
  CHECK(participant_info(arena, me, &who, name) && who.pid == platform::process_id() && name[0] == 0);
  participant_rename(arena, me, "worker-3");
  CHECK(participant_info(arena, me, &who, name) && strcmp(name, "worker-3") == 0);
  const char* const ends[] = {"x", "\xc3\xa4", "\xe2\x82\xac",
                              "\xf0\x9f\x94\x92"};  // 1 to 4 bytes a character
  for (const char* end : ends)
    for (size_t lead = 58; lead <= 64; lead++) {
      char text[80] = "";
      memset(text, 'a', lead);
      strcpy(text + lead, end);
      participant_rename(arena, me, text);
      CHECK(participant_info(arena, me, &who, name));
      const size_t whole = lead + strlen(end);
      CHECK(strlen(name) == (whole <= 63 ? whole : lead < 63 ? lead : 63));
      CHECK(strncmp(name, text, strlen(name)) == 0);
    }
  participant_leave(arena, me);
  CHECK(!participant_info(arena, me, &who, name));
  drop_arena(arena);
}
