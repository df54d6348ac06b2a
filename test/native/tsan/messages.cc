// Queues and pipes under ThreadSanitizer, as threads.cc: payloads, parcels and what a lock's maker writes there are plain bytes,
// and who uses an end of the pipe counts in plain cells, so that a missing order is reported as a race. Threads end without
// leaving, and are swept; queues are made, found by others, shut, and freed with messages in them.
#include <stdio.h>

#include <thread>

#include "core/bell.h"
#include "core/point.h"
#include "tsan/messages.h"

using namespace mp;
using namespace mp::test;

void mp::test::at_point(const char*) {
  static thread_local uint32_t n;
  if (++n % 64 == 0) platform::yield();  // two threads on one core would hardly meet
}

namespace {

constexpr int kLives = 12, kRounds = 600;
constexpr uint32_t kRingUnits = 256, kOwnUnits = 128;

QueueName shared_queue;
std::atomic<uint64_t> board{0};  // the two slots of a queue that somebody has made, and their generations
// Plain: who is the sender, or receiver, of a ring has them.
uint32_t sent[2], received[2];

bool wait_bell(const QueueDesk& d, Seat& seat, int64_t deadline) {
  return bell_wait({d.arena, d.index, seat.bell, seat.heard.load(std::memory_order_relaxed), d.me}, deadline,
                   nullptr) == Outcome::acquired;
}

/// Tries until it succeeds, in line in between, or gives up.
template <class F>
QueueResult stand(Life& life, const QueueDesk& d, Seat& seat, F attempt) {
  const int64_t deadline = in(100'000 + life.below(2'000'000));
  QueueResult result;
  while ((result = attempt(&seat)) == QueueResult::waits) {
    if (!wait_bell(d, seat, deadline)) {
      queue_withdraw(d, seat);
      break;
    }
    if (life.below(6) == 0) queue_pass_on(d.arena, d.index, life.me, seat);
  }
  return result;
}

/// Puts one or two messages with one call, as far as they go. Returns how many went.
uint32_t put_in_queue(Life& life, const QueueDesk& d, Seat* line) {
  uint32_t units = 0, from = 0, count = 0;
  for (uint32_t n = 0, most = 1 + life.below(2); n < most; n++)
    units += write_message(life, authored[life.number] + n, life.out + units * kUnit);
  const auto attempt = [&](Seat* seat) {
    uint32_t done;
    platform::Failure failed;
    const auto result = queue_put(d, life.out + from * kUnit, units - from, seat, &done, &failed);
    for (const uint32_t end = from + done; from < end; count++) from += units_at(life.out + from * kUnit);
    return result;
  };
  const auto result = line == nullptr ? attempt(nullptr) : stand(life, d, *line, attempt);
  CHECK(result == QueueResult::done || result == QueueResult::waits || result == QueueResult::shut);
  life.let_go();
  authored[life.number] += count;
  return count;
}

/// Gets up to so many messages. Returns how many there were.
uint32_t get_from_queue(Life& life, const QueueDesk& d, uint32_t most, Seat* line, Seat* taker) {
  uint32_t units = 0, count = 0;
  if (line == nullptr && !queue_may_get(d)) return 0;
  const auto attempt = [&](Seat* seat) {
    platform::Failure failed;
    return queue_get(d, life.in, sizeof life.in / kUnit, most, seat, taker, &units, &failed);
  };
  const auto result = line == nullptr ? attempt(nullptr) : stand(life, d, *line, attempt);
  CHECK(result == QueueResult::done || result == QueueResult::waits || result == QueueResult::shut);
  if (result != QueueResult::done) return 0;
  for (uint32_t at = 0; at < units; at += units_at(life.in + at * kUnit), count++) {
    const Head head = read_message(life, life.in + at * kUnit);
    if (d.index != shared_queue.index) continue;
    CHECK(head.number >= life.seen[head.author]);
    life.seen[head.author] = head.number + 1;
  }
  return count;
}

/// Stands in line while its thread does other things: a waiter thread passes on what it is notified of.
void be_late(Life& life, const QueueDesk& d, Seat& seat) {
  uint32_t units;
  platform::Failure failed;
  // It has no room for a message, so that it gets none.
  if (queue_get(d, life.in, 0, 1, &seat, nullptr, &units, &failed) != QueueResult::waits) return;
  std::thread waiter([&] {
    if (wait_bell(d, seat, in(kMs)) && queue_pass_on(d.arena, d.index, life.me, seat)) life.sum().late++;
  });
  life.sum().put += put_in_queue(life, d, nullptr);
  waiter.join();
  queue_withdraw(d, seat);
}

void use_shared_queue(Life& life, const QueueDesk& d, Seat& seat) {
  const uint32_t what = life.below(16);
  if (what < 6) {
    life.sum().put += put_in_queue(life, d, what == 0 ? nullptr : &seat);
  } else if (what < 13) {
    const uint32_t count =
        get_from_queue(life, d, 1 + life.below(kMostGot), what < 8 ? nullptr : &seat, &seat);
    life.sum().got += count;
    for (uint32_t i = 0; i < count; i++) CHECK(queue_done(d, &seat));
  } else if (what < 15) {
    uint32_t lost = 0;
    stand(life, d, seat, [&](Seat* line) { return queue_join(d, line, &lost); });
    CHECK(lost == 0);
  } else {
    be_late(life, d, seat);
  }
}

/// With a seat at a queue of somebody's for a while.
void visit(Life& life, QueueName q) {
  uint32_t seat_index;
  CHECK(!monitor_join(ground->arena, q.index, life.me, &seat_index));
  Seat& seat = seat_at(ground->arena, seat_index);
  const QueueDesk d = desk_at(*ground, q, life.me);
  for (uint32_t i = 0, n = life.below(6); i < n; i++)
    life.below(2) == 0 ? put_in_queue(life, d, &seat) : get_from_queue(life, d, 2, &seat, nullptr);
  monitor_leave(ground->arena, q.index, life.me, seat_index);
}

/// A queue for whoever finds it. It is shut, and freed with what is in it.
void make_queue_for_others(Life& life) {
  const Arena& arena = ground->arena;
  const QueueName q = make_queue(*ground, life.me, kOwnUnits, life.below(3));
  board.store(uint64_t{generation_of(arena, q.index)} << 44 | uint64_t{q.index} << 32 |
                  generation_of(arena, q.ring) << 12 | q.ring,
              std::memory_order_relaxed);
  visit(life, q);
  if (life.below(3) > 0) queue_shut(desk_at(*ground, q, life.me), life.below(2) == 0);
  close(arena, life.me, q.index);
  close(arena, life.me, q.ring);
}

/// What its maker wrote comes before what is found here through the two headers only: `board` orders nothing.
void visit_found_queue(Life& life) {
  const Arena& arena = ground->arena;
  const uint64_t name = board.load(std::memory_order_relaxed);
  const QueueName q{static_cast<uint32_t>(name >> 32) & 0xfff, static_cast<uint32_t>(name) & 0xfff};
  if (!open(arena, life.me, q.index, static_cast<uint32_t>(name >> 44), kQueue)) return;
  if (open(arena, life.me, q.ring, static_cast<uint32_t>(name) >> 12, kRing)) {
    CHECK(arena.slot(q.index).detail == q.ring);
    life.sum().found++;
    visit(life, q);
    close(arena, life.me, q.ring);
  }
  close(arena, life.me, q.index);
}

/// Sleeps until the other side has moved its word, or for some time.
void wait_at_pipe(Life& life, uint32_t side, uint32_t ring, bool head, uint32_t value) {
  PipeRing& words = ground->block().ring[ring];
  PipeEnd& other = ground->end(1 - side);
  Word& user = head ? other.receiver : other.sender;
  Word& header = end_header(ground->arena, ground->ends[1 - side]);
  const BellWait wait{ground->arena,
                      ground->block_index,
                      head ? words.head : words.tail,
                      value,
                      life.me,
                      nullptr,
                      head ? &words.head_awaited : &words.tail_awaited,
                      {{&header, header.load()}, {&user, user.load()}}};
  bell_wait(wait, in(life.below(500'000)), nullptr);
}

/// Writes a record as TypeScript does. Who has the lock may read what is there, though not rely on it (I4): that is no race of
/// JavaScript's. All other reads have to come after the tail.
void write_plain(const Ring& ring, uint32_t tail, uint32_t room, const unsigned char* record,
                 uint32_t units) {
  const auto write = [&](uint32_t unit, const void* from) {
    uint64_t word;
    memcpy(&word, from, sizeof word);
    reinterpret_cast<std::atomic<uint64_t>*>(ring.at(unit))->store(word, std::memory_order_relaxed);
  };
  const Record marker{0, kWrap};
  if (room != units) write(tail, &marker);
  for (uint32_t u = 0; u < units; u++) write(tail + room - units + u, record + u * kUnit);
}

void send(Life& life, uint32_t side) {
  PipeRing& words = ground->block().ring[side];
  const uint32_t units = write_message(life, sent[side], life.out);
  const Ring ring = ground->desk(life.me).ring(side);
  for (int tries = 0; tries < 3; tries++) {
    const uint32_t head = words.head, tail = words.tail;
    auto result = PipeResult::waits;
    platform::Failure failed;
    if (life.held_count > 0) {
      result = pipe_put(ground->desk(life.me), side, life.out, units, &failed);
    } else if (const uint32_t room = ring_room(ring, head, tail, units)) {
      write_plain(ring, tail, room, life.out, units);
      words.tail = tail + room;
      result = PipeResult::done;
    }
    if (result == PipeResult::done) {
      sent[side]++, life.sum().sent++;
      pipe_wake(words.tail, words.tail_awaited);
      break;
    }
    CHECK(result == PipeResult::waits);
    wait_at_pipe(life, side, side, true, head);
  }
  life.let_go();
}

/// Receives a message as TypeScript does: only those that refer to something through native code. False: there is none.
bool receive(Life& life, uint32_t number) {
  PipeRing& words = ground->block().ring[number];
  const uint32_t head = words.head, tail = words.tail;
  if (head == tail) return false;
  const Ring ring = ground->desk(life.me).ring(number);
  uint32_t at;
  Record r;
  CHECK(ring_front(ring, head, tail, &at, &r));
  if (references_in(r.meta) > 0) {
    CHECK(ground->get(life.me, number, life.in) == PipeResult::done);
  } else {
    memcpy(life.in, ring.at(at), record_units(r) * kUnit);
    words.head = at + static_cast<uint32_t>(record_units(r));
  }
  pipe_wake(words.head, words.head_awaited);
  CHECK(read_message(life, life.in).number == received[number]++);
  life.sum().received++;
  return true;
}

/// Becomes the sender, or receiver, of an end for a while, if nobody is. `stays`: for good.
void use_pipe(Life& life, bool stays) {
  const uint32_t side = life.below(2), ring = 1 - side;
  const bool sends = life.below(2) == 0;
  Word& user = sends ? ground->end(side).sender : ground->end(side).receiver;
  uint32_t u = user;
  platform::Watch unused;
  if (u != 0 && u != kAbandoned && owner_dead(ground->arena, u, &unused))
    participants_sweep(ground->arena), u = user;
  if ((u != 0 && u != kAbandoned) || !user.compare_exchange_strong(u, life.me)) return;
  for (uint32_t i = 0, n = 1 + life.below(12); i < n; i++) {
    const uint32_t head = ground->block().ring[ring].head;
    if (sends)
      send(life, side);
    else if (!receive(life, ring))
      wait_at_pipe(life, side, ring, false, head);
  }
  // A mark on its token orders what a dead one has done, but ThreadSanitizer does not see what the kernel does.
  if (stays) return void(user.fetch_add(0));
  uint32_t self = life.me;
  CHECK(user.compare_exchange_strong(self, 0));
}

void live(int number, uint32_t index) {
  const Arena& arena = ground->arena;
  Life life{number, enter(arena), 2654435761u * static_cast<uint32_t>(number + 1) + index * 40503u};
  for (const uint32_t i :
       {shared_queue.index, shared_queue.ring, ground->block_index, ground->ends[0], ground->ends[1]})
    ground->open_too(life.me, i);
  uint32_t seat;
  CHECK(!monitor_join(arena, shared_queue.index, life.me, &seat));
  for (int i = 0; i < kRounds; i++) {
    const uint32_t what = life.below(16);
    if (what < 9)
      use_shared_queue(life, desk_at(*ground, shared_queue, life.me), seat_at(arena, seat));
    else if (what < 14)
      use_pipe(life, false);
    else if (what == 14)
      make_queue_for_others(life);
    else
      visit_found_queue(life);
  }
  if (index % 3 != 0) return participant_leave(arena, life.me);
  // A thread that ends without leaving. It may do so with an end.
  use_pipe(life, true);
}

}  // namespace

int main() {
  PipeGround g(kRingUnits);
  ground = &g;
  shared_queue = make_queue(g, g.keeper, kRingUnits, 8, 8192);
  std::thread threads[kThreads];
  for (int t = 0; t < kThreads; t++)
    threads[t] = std::thread([t] {
      for (uint32_t l = 0; l < kLives; l++) std::thread(live, t, l).join();
    });
  for (std::thread& t : threads) t.join();
  participants_sweep(g.arena);

  Life last{0, g.keeper, 1};
  uint32_t seat, lost = 1;
  CHECK(!monitor_join(g.arena, shared_queue.index, g.keeper, &seat));
  const QueueDesk d = desk_at(g, shared_queue, g.keeper);
  while (get_from_queue(last, d, 1, nullptr, &seat_at(g.arena, seat)) > 0) {
    sums[0].got++;
    CHECK(queue_done(d, nullptr));
  }
  CHECK(queue_join(d, nullptr, &lost) == QueueResult::done && lost == 0);
  for (const uint32_t ring : {0, 1}) {
    while (receive(last, ring)) {
    }
    CHECK(sent[ring] == received[ring]);
  }
  Sum all{};
  for (const Sum& s : sums) {
    all.put += s.put, all.got += s.got, all.sent += s.sent, all.received += s.received;
    all.carried += s.carried, all.late += s.late, all.found += s.found;
  }
  CHECK(all.put == all.got && all.sent == all.received);
  CHECK(d.block.block_bytes == 0 && d.block.carriers == 0 && g.number_kept() == 0);
  CHECK(all.late > 0 && all.found > 0);
  const auto n = [](uint64_t v) { return static_cast<unsigned long long>(v); };
  printf("messages: %llu through a queue, %llu through a pipe, with %llu objects, of %d lives, all exact\n",
         n(all.put), n(all.sent), n(all.carried), kThreads * kLives);
}
