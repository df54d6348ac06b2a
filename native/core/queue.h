// A queue: a ring of messages (ring.h) between many that put and many that get, on a monitor whose latch keeps the steps of
// one put or get together.
//
//   Slot of the queue (kQueue)                        Block (kRing)
//   latch | seats | flags, keeper, done               QueueBlock | the ring's bytes
//   in:  tail, how many were ever put     out: head, how many were ever got
//
//   Seat::hold   bits 63..32                                    bits 31..0
//                messages its participant has taken from a      0 | kAwaitsItem | kAwaitsRoom | kAwaitsDone,
//                JoinableQueue and not said to be done          and kNotified
//
// Q1  A put is one store to `in`, a get one store to `out`: how many there are and where follows from the two. Whoever dies
//     before its store has changed nothing; after it, the message is in the queue, or its own.
// Q2  The slot's part says all that others need for a dead one: they may have no mapping of the ring.
// Q3  Nobody is handed a message: a put notifies the getter that has waited longest, and whoever comes first gets it. Each
//     put notifies one, so as many are on their way as there are messages. Who is notified and leaves, or dies, passes it on.
//     Who is notified and stopped does neither: one that has slept for a while has the next one notified as well.
// Q4  The same for room. Only, a putter that was notified in vain needs more room than others, and nobody goes before it
//     (kStrict) until it has put, or left.
// Q5  What can be counted from the records (bytes, references) is kept beside, and counted anew by the next one that has
//     the latch if somebody died with it (kDoubt).
// Q6  Not dealt with is what is in the queue and what the seats have taken. What was ever got, less what is done and what the
//     seats have taken, is lost: nobody counts it, so nobody can die before it is counted. A seat goes, and what it had taken
//     is lost; who dies between a get and its count, or between its count and `done`, has lost that message, too.
//
// Order    the latch. `in` and `out` are read without it by those who spin, and by who asks how many there are.
// Death    in a call: the latch is taken over (T2), kDoubt set, and all who wait look again. Else: its seats are taken out.
// Fairness whoever comes first; those who wait are notified in the order in which they came.
#pragma once

#include "core/monitor.h"
#include "core/ring.h"

namespace mp {

inline constexpr uint32_t kAwaitsItem = 1, kAwaitsRoom = 2, kAwaitsDone = 3, kNotified = 4;
inline constexpr uint32_t kShut = 1, kDoubt = 2, kStrict = 4;  // flags

/// The low half first: {tail, puts}, {head, gets}.
struct QueueMonitor {
  std::atomic<uint64_t> header;
  Word latch;
  Word first_seat;
  Word flags;     // and the keeper's number above bit 8; 0: none
  Word done;      // how many messages were ever said to be dealt with
  uint32_t ring;  // its block
  uint32_t extent_class;
  Word waiting;
  Word ticket;
  std::atomic<uint64_t> in;
  std::atomic<uint64_t> out;
  std::atomic<uint64_t> blocked_on;
};
static_assert(sizeof(QueueMonitor) == sizeof(Monitor) &&
              offsetof(QueueMonitor, first_seat) == offsetof(Monitor, first_seat) &&
              offsetof(QueueMonitor, ring) == offsetof(Monitor, detail) &&
              offsetof(QueueMonitor, waiting) == offsetof(Monitor, waiting) &&
              offsetof(QueueMonitor, in) == offsetof(Monitor, field) &&
              offsetof(QueueMonitor, blocked_on) == offsetof(Slot, blocked_on));

///   units, max_items, max_bytes   constants; max_items 0: no limit
///   block_bytes   of the blocks of the messages in the queue          | counted anew
///   carriers      how many messages in the queue have references      | when in doubt
///                 Plain messages touch neither: what they have lies between head and tail, and a line of the processor's cache
///                 that both sides write to costs each of them more than all the rest of a put.
///   lost_told  how many of the lost ones (Q6) a join() has told of
struct alignas(64) QueueBlock {
  uint32_t units;
  uint32_t max_items;
  uint64_t max_bytes;
  uint64_t block_bytes;
  uint32_t carriers;
  uint32_t lost_told;
  uint32_t reserved[24];
};
static_assert(sizeof(QueueBlock) == 128);

/// No record is longer; nor than a quarter of its ring, so that every one fits when the ring is empty.
inline constexpr uint32_t kRecordUnitsMax = (64 << 10) / kUnit;

/// A queue as one participant uses it.
struct QueueDesk {
  const Arena& arena;
  uint32_t index;
  QueueMonitor& queue;
  QueueBlock& block;
  OwnerId me;

  Ring ring() const { return {reinterpret_cast<unsigned char*>(&block + 1), block.units}; }
};

enum class QueueResult : uint32_t { done, waits, shut, too_large, damaged, failed };

/// The bytes of all that is in the queue: of the ring, and of blocks.
inline uint64_t queue_bytes(const QueueBlock& block, uint64_t in, uint64_t out) {
  return uint64_t{static_cast<uint32_t>(in) - static_cast<uint32_t>(out)} * kUnit + block.block_bytes;
}

/// Fills in a fresh block, before anybody else knows it. `units`: a power of two.
void queue_init(QueueBlock& block, uint32_t units, uint32_t max_items, uint64_t max_bytes);

constexpr uint32_t queue_length(uint64_t in, uint64_t out) {
  return static_cast<uint32_t>(in >> 32) - static_cast<uint32_t>(out >> 32);
}

/// Puts the records that lie one after the other in `records`, as far as they go; *done says how many units did.
/// waits: there is no room for the next one now. With a seat: then it stands in line for it.
QueueResult queue_put(const QueueDesk& desk, const unsigned char* records, uint32_t units, Seat* seat,
                      uint32_t* done, platform::Failure* failed);
/// Gets up to `max` messages, as many as `room` units hold and at least one: their records, and for the caller a reference
/// of its own to each object they refer to. waits: there is none. With a seat: then it stands in line for one.
/// `taker`, if not null, keeps count of what its participant has taken and not said to be done.
QueueResult queue_get(const QueueDesk& desk, unsigned char* out, uint32_t room, uint32_t max, Seat* seat,
                      Seat* taker, uint32_t* units, platform::Failure* failed);
/// Whether a put of so many units, or a get, might succeed now: a glance, for those who spin.
bool queue_may_put(const QueueDesk& desk, uint32_t units);
inline bool queue_may_get(const QueueDesk& desk) {
  return queue_length(desk.queue.in.load(std::memory_order_acquire),
                      desk.queue.out.load(std::memory_order_acquire)) > 0;
}
/// Leaves the line; a notification that came meanwhile goes to the next.
void queue_withdraw(const QueueDesk& desk, Seat& seat);
/// By a waiter thread, for an environment that does not come: the notification goes to another that waits for the same, and
/// this seat stands in line again. False: nobody else waits, or it was not notified.
bool queue_pass_on(const Arena& arena, uint32_t index, OwnerId me, Seat& seat);

/// By one that has slept for a while: whoever was notified of what is there may be stopped, or have no turn, though it lives.
void queue_look_over(const Arena& arena, uint32_t index, LatchOwner as);

/// Says that one message that was got has been dealt with. False: there is none.
bool queue_done(const QueueDesk& desk, Seat* seat);
/// Whether nothing is left to be dealt with (done); *lost says how many messages nobody has dealt with, because who took them
/// died or left, told once. With a seat: else it waits.
QueueResult queue_join(const QueueDesk& desk, Seat* seat, uint32_t* lost);
/// No more puts from now on. `discard`: what is in the queue is dropped, as if it had never been put. Wakes all who wait.
void queue_shut(const QueueDesk& desk, bool discard);

void queue_mourn(Monitor& monitor, Seat& seat);
void queue_settle(const Arena& arena, Monitor& monitor, Latched& latched);
/// Somebody has died with the latch.
void queue_doubt(Monitor& monitor);

}  // namespace mp
