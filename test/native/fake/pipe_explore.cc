// Explores pipes: participants send and receive at whichever end nobody uses, plain messages as TypeScript does and those with
// references through the core, pass ends on through the pipe itself, close them, and die wherever the seed says. What goes
// through each ring is known exactly (pipe_model.h): it comes once, in order and whole, but for what the dead had in hand.
//
// usage: pipe_explore [seeds [first]]

#include "fake/pipe_life.h"

using namespace mp;
using namespace mp::fake;

namespace {

bool deaths;
uint32_t born, born_at_most, roles, idles_left;

struct Sum {
  uint64_t sent, received, ends_passed, ended, broken, lost, kills;
  int64_t longest_wait;
} sum;

void idle() {
  look();
  check_sleepers_at_pipe();
  if (idles_left == 0 || --idles_left > 0) return;
  const Life its{keeper};
  for (const Reference& e : end_names) close(its, e);
  if (random(4) == 0) close(its, block_name);
}

void contender(uint64_t rounds);

void death(int id) {
  sleepers[id].asleep = false;
  forget(id);
  if (born < born_at_most) born++, spawn(contender, 6 + random(8));
}

/// Becomes the one user of an end in a direction, as TypeScript does.
bool become_user(const Life& life, uint32_t side, bool sends) {
  Word& word = user_of(side, sends);
  for (;;) {
    uint32_t user = word.load();
    platform::Watch unused;
    if (user == life.me) return true;
    if (user == 0 || user == kAbandoned) {
      if (!word.compare_exchange_strong(user, life.me)) continue;
      look();
      int& before = model_user(side, sends);
      if (before != 0) fail("I1: an end has two users");
      before = self();
      return true;
    }
    if (!owner_dead(arena, user, &unused)) return false;
    participants_sweep(arena);
    if (word.load() == user) word.compare_exchange_strong(user, kAbandoned);
  }
}

/// Puts a message as TypeScript does, which writes bit by bit.
bool put_plain(uint32_t number, const Message& m) {
  PipeRing& words = memory.block.ring[number];
  const Ring ring = desk_of(keeper).ring(number);
  const uint32_t tail = words.tail.load(), room = ring_room(ring, words.head.load(), tail, m.units);
  if (room == 0) return false;
  const Record marker{0, kWrap};
  if (room != m.units) memcpy(ring.at(tail), &marker, kUnit), step();
  for (uint32_t u = 0; u < m.units; u++) {
    memcpy(ring.at(tail + room - m.units + u), &m.record[u], kUnit);
    step();
  }
  words.tail.store(tail + room);
  return true;
}

bool put_now(const Life& life, uint32_t number, const Message& m, bool by_core) {
  Way& w = ways[number];
  w.next = m;
  w.puts = true;
  platform::Failure failed;
  const auto* bytes = reinterpret_cast<const unsigned char*>(m.record);
  const auto result = by_core                ? pipe_put(desk_of(life.me), number, bytes, m.units, &failed)
                      : put_plain(number, m) ? PipeResult::done
                                             : PipeResult::waits;
  look();
  if (result != PipeResult::done && result != PipeResult::waits) fail("a put was refused");
  if (w.puts == (result == PipeResult::done)) fail("a put has not done what it says");
  w.puts = false;
  if (result != PipeResult::done) return false;
  sum.sent++;
  PipeRing& words = memory.block.ring[number];
  pipe_wake(words.tail, words.tail_awaited);
  return true;
}

bool other_is_gone(uint32_t side, bool sends) {
  return (end_header(arena, end_names[1 - side].index).load() & ~uint32_t{kDying}) !=
             end_names[1 - side].header ||
         user_of(1 - side, !sends).load() == kAbandoned;
}

/// What it takes to wait for a ring's tail, or head, to be no longer `value`.
BellWait wait_at(const Life& life, uint32_t side, bool sends, uint32_t value) {
  PipeRing& words = memory.block.ring[ring_of(side, sends)];
  Word &header = end_header(arena, end_names[1 - side].index), &user = user_of(1 - side, !sends);
  return {arena,
          block_name.index,
          sends ? words.head : words.tail,
          value,
          life.me,
          nullptr,
          sends ? &words.head_awaited : &words.tail_awaited,
          {{&header, header.load()}, {&user, user.load()}}};
}

/// Sleeps until it is time to look again. False: the deadline has passed.
bool sleep(const BellWait& wait, Sleeper as, int64_t deadline) {
  if (random(8) == 0 && bell_spin(wait)) return true;
  const int64_t since = platform::monotonic_now();
  as.wait = &wait;
  as.asleep = true;
  sleepers[self()] = as;
  const bool rung = wait_for(wait, deadline);
  sleepers[self()].asleep = false;
  const int64_t waited = platform::monotonic_now() - since;
  if (waited > sum.longest_wait) sum.longest_wait = waited;
  return rung;
}
int64_t new_deadline() {
  const int64_t patience[] = {16 * kParkCeilingNs, random(6'000'000), random(200'000), random(200'000)};
  return platform::monotonic_now() + patience[random(4)];
}

/// Sends one message. False: nobody is there to receive it, or makes room.
bool send(Life& life, uint32_t side) {
  const uint32_t number = ring_of(side, true);
  const Message m = write_message(life);
  const bool by_core = m.count > 0 || random(4) == 0;
  const int64_t deadline = new_deadline();
  bool put = false;
  for (;;) {
    if (other_is_gone(side, true)) {
      sum.broken++;
      break;
    }
    const uint32_t head = memory.block.ring[number].head.load();
    if ((put = put_now(life, number, m, by_core))) break;
    if (random(4) == 0) nap(random(100'000));
    const BellWait wait = wait_at(life, side, true, head);
    // What has changed since the look is in `wait` already.
    if (!other_is_gone(side, true) &&
        !sleep(wait, {false, true, side, m.units, m.block_bytes, nullptr}, deadline))
      break;
  }
  for (uint32_t t = 0; t < m.count; t++) {
    const uint32_t end = side_of(m.things[t].name);
    if (end < 2 && put) sum.ends_passed++;
    if (end < 2 && put && random(2) == 0) drop_end(life, end);
    for (uint32_t i = 0; end == 2 && i < life.count; i++)
      if (life.pocket[i].name.index == m.things[t].name.index && random(3) > 0) drop(life, i--);
  }
  return put;
}

/// Gets the message in front, plain ones as TypeScript does.
void take(Life& life, uint32_t number, uint32_t head, uint32_t tail) {
  Way& w = ways[number];
  PipeRing& words = memory.block.ring[number];
  const Ring ring = desk_of(life.me).ring(number);
  uint64_t out[kRecordMost];
  uint32_t at, units;
  Record r;
  if (!ring_front(ring, head, tail, &at, &r)) fail("R1: there is no message in front");
  if (references_in(r.meta) > 0 || random(8) == 0) {
    platform::Failure failed;
    auto* to = reinterpret_cast<unsigned char*>(out);
    if (pipe_get(desk_of(life.me), number, to, kRecordMost, &units, &failed) != PipeResult::done)
      fail("a get was refused");
  } else {
    units = static_cast<uint32_t>(record_units(r));
    for (uint32_t u = 0; u < units; u++) memcpy(&out[u], ring.at(at + u), kUnit), step();
    words.head.store(at + units);
  }
  look();
  if (w.taken != w.received + 1) fail("what was got is still there");
  const Message m = w.sent[w.received++].message;
  sum.received++;
  if (units != m.units || memcmp(out, m.record, units * kUnit) != 0) fail("a message came spoilt");
  pipe_wake(words.head, words.head_awaited);
  for (uint32_t t = 0; t < m.count; t++) keep_or_close(life, m.things[t]);
}

/// Receives one message. False: none has come, or will.
bool receive(Life& life, uint32_t side) {
  const uint32_t number = ring_of(side, false);
  const PipeRing& words = memory.block.ring[number];
  const uint32_t head = words.head.load();
  const int64_t deadline = new_deadline();
  uint32_t tail;
  while ((tail = words.tail.load()) == head) {
    if (other_is_gone(side, false)) {
      if ((tail = words.tail.load()) != head) break;  // its last message may have come in between
      sum.ended++;
      if (Way& w = ways[number]; w.taken < w.sent.size()) fail("the end came before the last message");
      if (!still_is(end_names[1 - side])) ways[number].over = true;
      return false;
    }
    if (random(4) == 0) nap(random(100'000));
    const BellWait wait = wait_at(life, side, false, head);
    // What has changed since the look is in `wait` already.
    if (words.tail.load() != head || other_is_gone(side, false)) continue;
    if (!sleep(wait, {false, false, side, 0, 0, nullptr}, deadline)) return false;
  }
  take(life, number, head, tail);
  return true;
}

void use_pipe(Life& life) {
  const uint32_t side = random(2);
  const bool sends = random(2) == 0;
  if (!life.has[side] || !can_use(side, sends) || !become_user(life, side, sends)) return;
  for (uint32_t n = 1 + random(busy ? 24 : 6); n > 0 && life.has[side]; n--)
    if (!(sends ? send(life, side) : receive(life, side)) && random(3) == 0) break;
  if (life.has[side] && random(2) == 0) stop_using(life, side, sends);
}

void contender(uint64_t rounds) {
  Life life{enter()};
  const bool found = open(life, block_name);
  const auto id = static_cast<uint32_t>(self());
  for (uint32_t side = 0; side < 2; side++)
    life.has[side] =
        (roles == 0 || (roles == 1 ? id % 2 == side : random(2) == 0)) && open(life, end_names[side]);
  for (uint64_t i = 0; found && i < rounds; i++) {
    check_holdings(life);
    const uint32_t what = random(16), side = random(2);
    if (what < 12)
      use_pipe(life);
    else if (what == 12 && life.has[side])
      drop_end(life, side);
    else if (what == 13)
      participants_sweep(arena);
    if (random(6) == 0) nap(random(600'000));
  }
  if (deaths && random(3) == 0) {
    deserted++;
    return;
  }
  forget(self());
  participant_leave(arena, life.me);
}

/// The keeper receives what is left, and closes the pipe, perhaps with what is in it.
void check_what_is_left(bool drains) {
  participants_sweep(arena);
  look();
  drains = drains && still_is(block_name);
  for (const uint32_t side : {0, 1})
    for (const bool sends : {true, false})
      if (const uint32_t user = user_of(side, sends).peek();
          still_is(end_names[side]) && user != 0 && user != kAbandoned)
        fail("an end has a user who is gone");
  Life last{keeper};
  for (uint32_t n = 0; drains && n < memory.block.rings; n++) {
    PipeRing& words = memory.block.ring[n];
    ways[n].receiver = ways[n].sender = -1;
    ways[n].over = false;
    const auto empty = [&] {
      while (words.head.peek() != words.tail.peek()) take(last, n, words.head.peek(), words.tail.peek());
    };
    empty();
    while (last.count > 0) drop(last, 0);
    Message plain{{}, 2, 0, 0, {}};
    const Record r{kUnit, 0};
    memcpy(plain.record, &r, sizeof r);
    if (!put_now(last, n, plain, true)) fail("an empty ring has no room");
    empty();
  }
  if (drains && memory.block.doubt != 0) fail("somebody has had the lock, and did not count");
  if (lost > kills()) fail("more messages are lost than have died");
  for (const Reference& e : end_names)
    if (holds(last, e)) close(last, e);
  if (holds(last, block_name)) close(last, block_name);
  for (uint32_t i = 1; i < kSlotsPerChunk; i++)
    if (const uint32_t kind = header_kind(arena.slot(i).header.peek()); kind != kFree && kind != kSpare)
      fail("a slot is left behind");
  for (uint32_t k = 1; k < arena.header().keeper_high.peek(); k++) {
    if (arena.keeper(k).object.peek() != 0 || arena.keeper(k).changer.peek() != 0)
      fail("a keeper is left behind");
    for (uint32_t at = 0; at < kSlotsPerChunk; at += 32)
      if (arena.keeper_cell(k, at).peek() != 0) fail("a keeper keeps something");
  }
}

void one(uint64_t seed) {
  deaths = seed % 2 == 1;
  born = deserted = 0;
  born_at_most = 4;
  lost = numbers = 0;
  World w = world_of(seed, deaths);
  w.on_idle = idle;
  w.on_death = death;
  begin(w);
  new_pipe(random(2) == 0 ? kRingUnitsMax : kRingUnitsMax / 2, random(4) == 0 ? 1 : 2,
           random(2) == 0 ? 0 : 0u - random(80));
  roles = random(3);
  busy = random(4) == 0;
  idles_left = random(3) == 0 ? 0 : 1 + random(6);
  const uint32_t n = 2 + random(4);
  for (uint32_t i = 0; i < n; i++) spawn(contender, 8 + random(16));
  run();
  sum.kills += kills();
  sum.lost += lost;
  check_what_is_left(random(4) != 0);
}

}  // namespace

int main(int argc, char** argv) {
  ground_prepare();
  const Range r = seeds(argc, argv, 20'000);
  for (uint64_t s = r.from; s < r.from + r.count; s++) one(s);
  const auto n = [](uint64_t v) { return static_cast<unsigned long long>(v); };
  printf("pipe: %llu seeds, %llu sent, %llu received with %llu things, %llu ends passed on, ", n(r.count),
         n(sum.sent), n(sum.received), n(things_taken), n(sum.ends_passed));
  printf("%llu ends heard of, %llu sends in vain, %llu kills, %llu lost with them, ", n(sum.ended),
         n(sum.broken), n(sum.kills), n(sum.lost));
  printf("%llu rescued by the ceiling, longest wait %.1f ms\n", n(rescued),
         static_cast<double>(sum.longest_wait) / 1e6);
}
