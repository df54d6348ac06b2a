#include "storm/queue_work.h"

#include <signal.h>
#include <sys/prctl.h>

#include "core/bell.h"
#include "core/point.h"
#include "storm/points.h"

using namespace mp;
using namespace mp::test;

namespace {

/// What a message says in its first bytes; the rest repeats `number`.
struct Head {
  uint32_t life, number, length, objects;
};

struct Life {
  OwnerId me;
  uint32_t number;  // of this life
  uint32_t seat;
  bool survivor;
  Seat& at_queue() const { return seat_at(tree, seat); }
};

alignas(8) unsigned char out[kRecordUnitsMax * kUnit], in_[kRecordUnitsMax * kUnit];
/// Of each producer: the number after the last one that this life has had from the queue.
uint16_t seen[kLives];

uint64_t mark_of(uint32_t life, uint32_t number) { return uint64_t{life} << 32 | number | 1u << 31; }

/// Writes a message; some have a parcel, or a lock, that are to be closed when it is put. Returns its units.
uint32_t write_message(const Life& life, uint32_t number, unsigned char* to, uint32_t (&held)[2],
                       uint32_t* count) {
  *count = 0;
  const uint32_t kind = below(4);  // 2: a lock, 3: a parcel and a lock
  Head head{life.number, number, static_cast<uint32_t>(sizeof(Head)) + below(500), kind < 2 ? 0 : kind - 1};
  if (kind == 3) {
    head.length += below(2000);
    NewBlock b;
    CHECK(!block_create(tree, life.me, kParcel, 0, head.length, &b));
    held[(*count)++] = b.index;
  }
  if (kind >= 2)
    CHECK(!object_create(tree, life.me, kLock, 0, mark_of(life.number, number), &held[(*count)++]));
  const Record r{head.length, (kind >= 2 ? 1u << 18 : 0) | (kind == 3 ? kInParcel : 0)};
  memcpy(to, &r, sizeof r);
  unsigned char* payload = kind == 3 ? static_cast<unsigned char*>(heap_at(tree, heap, held[0])) : to + kUnit;
  memset(payload, static_cast<int>(number), head.length);
  memcpy(payload, &head, sizeof head);
  auto* references = to + uint64_t{1 + payload_units(r)} * kUnit;
  for (uint32_t i = 0; i < *count; i++) {
    const Reference one = name_of(tree, held[i]);
    memcpy(references + i * sizeof one, &one, sizeof one);
  }
  return static_cast<uint32_t>(record_units(r));
}

void note_wait(const Life& life, int64_t since) {
  const auto n = static_cast<uint64_t>(platform::monotonic_now() - since);
  if (!life.survivor) return;
  uint64_t longest = shared->longest;
  while (n > longest && !shared->longest.compare_exchange_weak(longest, n)) {
  }
  shared->late += n >= static_cast<uint64_t>(kParkCeilingNs);
  shared->stuck += n >= static_cast<uint64_t>(kStuckNs);
}

/// Tries until it succeeds, waiting in line in between, or gives up; passes on what it was notified of, now and then.
template <class F>
QueueResult stand(const Life& life, F attempt) {
  const QueueDesk desk = queue_desk(life.me);
  Seat& seat = life.at_queue();
  const int64_t since = platform::monotonic_now();
  const bool patient = life.survivor || below(4) == 0;
  const int64_t deadline = since + (life.survivor ? kStuckNs : patient ? 20 * kMs : below(2'000'000));
  QueueResult result;
  while ((result = attempt()) == QueueResult::waits) {
    const BellWait wait{tree, queue_name.index, seat.bell, seat.heard.load(std::memory_order_relaxed),
                        life.me};
    if (bell_wait(wait, deadline, nullptr) != Outcome::acquired) {
      queue_withdraw(desk, seat);
      break;
    }
    if (below(6) == 0 && queue_pass_on(tree, queue_name.index, life.me, seat)) continue;
    MP_POINT("storm.notified");
  }
  note_wait(life, since);
  return result;
}

/// Puts messages with one call, as far as they go.
void put_in_queue(const Life& life) {
  Producer& p = shared->producers[life.number];
  uint32_t held[2], count = 0, units = 0, messages = 0;
  const uint32_t most = below(4) == 0 ? 2 : 1;
  while (messages < most && p.put + messages < kMessages && count == 0)
    units += write_message(life, p.put + messages++, out + units * kUnit, held, &count);
  if (messages == 0) return;
  p.tried = static_cast<uint16_t>(p.put + messages);
  uint32_t from = 0;
  platform::Failure failed;
  const auto try_put = [&](Seat* seat) {
    uint32_t done;
    const auto result =
        queue_put(queue_desk(life.me), out + from * kUnit, units - from, seat, &done, &failed);
    for (uint32_t end = from + done; from < end; p.put++, shared->put++)
      from += static_cast<uint32_t>(record_units(*reinterpret_cast<Record*>(out + from * kUnit)));
    return result;
  };
  const auto result =
      below(3) == 0 ? try_put(nullptr) : stand(life, [&] { return try_put(&life.at_queue()); });
  if (result != QueueResult::done && result != QueueResult::waits) shared->refused++;
  p.tried = p.put.load();
  MP_POINT("storm.put");
  for (uint32_t i = 0; i < count; i++) test::close(tree, life.me, held[i]);
}

void get_from_queue(const Life& life) {
  const QueueDesk desk = queue_desk(life.me);
  uint32_t units;
  platform::Failure failed;
  const auto try_get = [&](Seat* seat) {
    return queue_get(desk, in_, kRecordUnitsMax, 1, seat, &life.at_queue(), &units, &failed);
  };
  const auto result =
      below(3) == 0 ? try_get(nullptr) : stand(life, [&] { return try_get(&life.at_queue()); });
  if (result == QueueResult::done) {
    receive(life.me, kQueueWay, in_);
    MP_POINT("storm.got");
    if (!queue_done(desk, &life.at_queue())) shared->refused++;
  } else if (result != QueueResult::waits) {
    shared->refused++;
  }
}

/// Sleeps until the other side has moved its word, or is gone, or for some time.
void wait_at_pipe(const Life& life, uint32_t side, uint32_t ring, bool head, uint32_t value) {
  PipeRing& words = pipe_desk(life.me).block.ring[ring];
  PipeEnd& other = pipe_end(1 - side);
  Word& user = head ? other.receiver : other.sender;
  Word& header = end_header(tree, pipe_ends[1 - side]);
  const BellWait wait{tree,
                      pipe_block,
                      head ? words.head : words.tail,
                      value,
                      life.me,
                      nullptr,
                      head ? &words.head_awaited : &words.tail_awaited,
                      {{&header, header.load()}, {&user, user.load()}}};
  bell_wait(wait, in(below(1'000'000)), nullptr);
}

void send(const Life& life, uint32_t side) {
  Producer& p = shared->producers[life.number];
  if (p.put >= kMessages) return;
  const PipeDesk desk = pipe_desk(life.me);
  PipeRing& words = desk.block.ring[side];
  const Ring ring = desk.ring(side);
  uint32_t held[2], count;
  const uint32_t units = write_message(life, p.put, out, held, &count);
  p.tried = p.put + 1;
  platform::Failure failed;
  for (int tries = 0; tries < 3; tries++) {
    const uint32_t tail = words.tail, head = words.head;
    auto result = PipeResult::waits;
    if (count > 0) {
      result = pipe_put(desk, side, out, units, &failed);
    } else if (const uint32_t room = ring_room(ring, head, tail, units)) {
      ring_write(ring, tail, room, out, units);
      MP_POINT("storm.written");
      words.tail = tail + room;
      result = PipeResult::done;
    }
    MP_POINT("storm.sent");
    if (result == PipeResult::done) {
      p.put++, shared->put++;
      pipe_wake(words.tail, words.tail_awaited);
      break;
    }
    if (result != PipeResult::waits) shared->refused++;
    wait_at_pipe(life, side, side, true, head);
  }
  p.tried = p.put.load();
  for (uint32_t i = 0; i < count; i++) test::close(tree, life.me, held[i]);
}

void use_pipe(const Life& life) {
  const uint32_t side = below(2);
  const bool sends = below(2) == 0;
  Word& user = sends ? pipe_end(side).sender : pipe_end(side).receiver;
  uint32_t u = user;
  platform::Watch unused;
  if (u != 0 && u != kAbandoned && owner_dead(tree, u, &unused)) participants_sweep(tree), u = user;
  if ((u != 0 && u != kAbandoned) || !user.compare_exchange_strong(u, life.me)) return;
  MP_POINT("storm.uses");
  for (uint32_t i = 0, n = 1 + below(12); i < n; i++) {
    if (sends) {
      send(life, side);
      continue;
    }
    const uint32_t ring = 1 - side, head = pipe_desk(life.me).block.ring[ring].head;
    const auto result = take_from_pipe(life.me, ring, in_);
    if (result == PipeResult::done)
      receive(life.me, ring == 0 ? kPipeWay : kPipeBack, in_);
    else if (result == PipeResult::waits)
      wait_at_pipe(life, side, ring, false, head);
    else
      shared->refused++;
  }
  uint32_t self = life.me;
  user.compare_exchange_strong(self, 0);
}

/// A queue of one's own, with another one in it and things in that: what is shut, discarded, freed.
void use_own_queues(const Life& life) {
  uint32_t done;
  platform::Failure failed;
  QueueName names[2];
  for (QueueName& q : names) {
    NewBlock b;
    CHECK(!block_create(tree, life.me, kRing, 0, sizeof(QueueBlock) + 512, &b));
    memset(heap_at(tree, heap, b.index), 0, sizeof(QueueBlock) + 512);
    queue_init(*static_cast<QueueBlock*>(heap_at(tree, heap, b.index)), 64, 0, 1 << 20);
    q.ring = b.index;
    CHECK(!object_create(tree, life.me, kQueue, b.index, 0, &q.index));
  }
  const auto desk = [&](int n) {
    return QueueDesk{tree, names[n].index, reinterpret_cast<QueueMonitor&>(tree.slot(names[n].index)),
                     *static_cast<QueueBlock*>(heap_at(tree, heap, names[n].ring)), life.me};
  };
  const uint32_t lock = create(tree, life.me);
  Letter inside(8, 1, {name_of(tree, lock)});
  const Letter around(8, 1, {name_of(tree, names[1].index), name_of(tree, names[1].ring)});
  CHECK(queue_put(desk(1), inside.bytes, inside.units, nullptr, &done, &failed) == QueueResult::done);
  CHECK(queue_put(desk(0), around.bytes, around.units, nullptr, &done, &failed) == QueueResult::done);
  for (const uint32_t i : {lock, names[1].index, names[1].ring}) test::close(tree, life.me, i);
  if (below(2) == 0) queue_shut(desk(0), below(2) == 0);
  test::close(tree, life.me, names[0].index);
  test::close(tree, life.me, names[0].ring);
}

}  // namespace

void mp::test::receive(OwnerId me, Way way, const unsigned char* record) {
  const Record r = *reinterpret_cast<const Record*>(record);
  const auto* references =
      reinterpret_cast<const Reference*>(record + uint64_t{1 + payload_units(r)} * kUnit);
  const uint32_t count = references_in(r.meta);
  bool sound = true;
  for (uint32_t i = 0; i < count; i++)
    sound = sound && holds(tree, me, references[i].index) && alive(tree, references[i]);
  if (!sound) {
    shared->dangling++;
    return;
  }
  const auto* payload = r.meta & kInParcel
                            ? static_cast<unsigned char*>(heap_at(tree, heap, references[0].index))
                            : record + kUnit;
  Head head;
  memcpy(&head, payload, sizeof head);
  bool spoilt =
      head.length != r.length || head.life >= kLives || head.number >= kMessages || head.objects != count;
  for (uint32_t i = sizeof head; !spoilt && i < head.length; i++)
    spoilt = payload[i] != static_cast<unsigned char>(head.number);
  if (count > 0 && !spoilt)
    spoilt = tree.slot(references[count - 1].index).value != mark_of(head.life, head.number);
  for (uint32_t i = 0; i < count; i++) test::close(tree, me, references[i].index);
  if (spoilt) {
    shared->spoilt++;
    return;
  }
  Producer& p = shared->producers[head.life];
  shared->got++, shared->carried += count;
  if (p.received[head.number / 32].fetch_or(1u << head.number % 32) & 1u << head.number % 32) shared->twice++;
  if (way == kQueueWay) {
    if (head.number < seen[head.life]) shared->disorder++;
    seen[head.life] = static_cast<uint16_t>(head.number + 1);
  } else {
    if (head.number < p.last[way]) shared->disorder++;
    p.last[way] = static_cast<uint16_t>(head.number + 1);
  }
}

PipeResult mp::test::take_from_pipe(OwnerId me, uint32_t number, unsigned char* to) {
  const PipeDesk desk = pipe_desk(me);
  PipeRing& words = desk.block.ring[number];
  const Ring ring = desk.ring(number);
  const uint32_t head = words.head, tail = words.tail;
  if (head == tail) return PipeResult::waits;
  uint32_t at, units;
  Record r;
  if (!ring_front(ring, head, tail, &at, &r)) return PipeResult::damaged;
  auto result = PipeResult::done;
  platform::Failure failed;
  if (references_in(r.meta) > 0) {
    result = pipe_get(desk, number, to, kRecordUnitsMax, &units, &failed);
  } else {
    memcpy(to, ring.at(at), record_units(r) * kUnit);
    MP_POINT("storm.read");
    words.head = at + static_cast<uint32_t>(record_units(r));
  }
  MP_POINT("storm.received");
  pipe_wake(words.head, words.head_awaited);
  return result;
}

void mp::test::work(uint32_t number, const char* point_name, uint32_t after) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  die_at_point(point_name, after);
  for (;;) {
    Life life{};
    life.survivor = number == 0;
    life.me = test::enter(tree);
    life.number = shared->lives++;
    CHECK(life.number < kLives);
    for (const uint32_t i : {queue_name.index, queue_name.ring, pipe_block, pipe_ends[0], pipe_ends[1]})
      CHECK(test::open(tree, life.me, i, generation_of(tree, i), monitor_kind(tree, i)));
    CHECK(!monitor_join(tree, queue_name.index, life.me, &life.seat));
    for (uint32_t i = 0, n = 100 + below(200); i < n; i++) {
      const uint32_t what = below(16);
      if (what < 6)
        put_in_queue(life);
      else if (what < 12)
        get_from_queue(life);
      else if (what < 15)
        use_pipe(life);
      else
        use_own_queues(life);
    }
    if (below(2) == 0) monitor_leave(tree, queue_name.index, life.me, life.seat);
    participant_leave(tree, life.me);
  }
}
