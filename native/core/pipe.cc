#include "core/pipe.h"

#include <cstring>

#include "core/keepers.h"
#include "core/lock.h"
#include "core/objects.h"
#include "core/point.h"
#include "core/references.h"

namespace mp {
namespace {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_seq_cst;

/// Where the last message with references ends that may be between head and tail; head: there is none. It may be in the midst
/// of a plain one, too: that lies where a writer was that died before it moved the tail.
uint32_t carried_until(const Ring& ring, const PipeRing& words, uint32_t head, uint32_t tail) {
  const uint32_t used = tail - head;
  const uint32_t carried = words.carried.load(memory_order_acquire) - head;
  if (carried <= used) return head + carried;
  // Behind the tail: its writer died before it moved that. Else it has been got long ago.
  return head + (carried - used <= ring.units ? used : 0);
}

/// Whether a message in a ring refers to an object, as far as can be known: what cannot be read may. The caller has the lock.
bool is_referred_to(const Ring& ring, PipeRing& words, uint32_t index) {
  for (;;) {
    const uint32_t head = words.head.load(memory_order_acquire), tail = words.tail.load(memory_order_acquire);
    const bool found = ring_refers_to(ring, head, carried_until(ring, words, head, tail), tail, index);
    // What we read may have been overwritten only if the head moved, and that ends where the next references are (I4).
    // A write that changes nothing in place of a fence, which ThreadSanitizer does not know: what was read before stays before.
    if (words.head.fetch_add(0, memory_order_seq_cst) == head) return found;
  }
}
bool is_referred_to(const PipeDesk& desk, uint32_t index) {
  for (uint32_t n = 0; n < desk.block.rings && n < 2; n++)
    if (is_referred_to(desk.ring(n), desk.block.ring[n], index)) return true;
  return false;
}

/// The pipe's lock, until the end of the block.
class Locked {
 public:
  explicit Locked(const PipeDesk& desk) : desk_(desk), slot_(desk.arena.slot(desk.index)) {
    lock_acquire(desk.arena, slot_, desk.me, INT64_MAX, nullptr);
    if (desk.block.doubt == 0) return;  // set by one that died here
    if (desk.block.keeper != 0)
      keeper_retain(desk.arena, owner_slot(desk.me), desk.block.keeper,
                    [&](uint32_t index) { return is_referred_to(desk, index); });
    desk.block.doubt = 0;
  }
  Locked(const Locked&) = delete;
  ~Locked() { lock_release(desk_.arena, slot_, desk_.me); }

 private:
  const PipeDesk& desk_;
  Slot& slot_;
};

platform::Failure keep(const PipeDesk& desk, const Reference* references, uint32_t count) {
  if (desk.block.keeper == 0) {
    uint32_t number;
    if (auto failed = keeper_take(desk.arena, desk.me, desk.index, &number)) return failed;
    desk.block.keeper = number;
  }
  return keep_each(desk.arena, desk.block.keeper, references, count);
}

/// Whether the blocks under way in a ring leave room for so many bytes more. By its sender: nobody else writes there. It has the
/// lock: what is under way is not received meanwhile, and freed, so that its slot is another block's.
bool has_room_for_blocks(const PipeDesk& desk, uint32_t number, uint64_t bytes) {
  if (bytes == 0) return true;
  const Ring ring = desk.ring(number);
  const PipeRing& words = desk.block.ring[number];
  uint64_t under_way = 0;
  each_record(ring, words.head.load(memory_order_acquire), words.tail.load(memory_order_relaxed),
              [&](uint32_t at, const Record& r) {
                under_way += block_bytes(desk.arena, r, ring_references(ring, at, r));
              });
  return under_way == 0 || under_way + bytes <= kPipeBlockBytesMax;
}

void abandon(Word& user, OwnerId dead) {
  uint32_t was = dead;
  if (user.compare_exchange_strong(was, kAbandoned, memory_order_seq_cst))
    platform::unpark(&user, platform::kAll);
}

}  // namespace

PipeResult pipe_put(const PipeDesk& desk, uint32_t number, const unsigned char* bytes, uint32_t units,
                    platform::Failure* failed) {
  const Ring ring = desk.ring(number);
  PipeRing& words = desk.block.ring[number];
  const Record record = *reinterpret_cast<const Record*>(bytes);
  if (record_units(record) != units) return PipeResult::damaged;
  if (units > ring.units / 4) return PipeResult::too_large;
  const uint32_t tail = words.tail.load(memory_order_relaxed);
  const uint32_t room = ring_room(ring, words.head.load(memory_order_acquire), tail, units);
  if (room == 0) return PipeResult::waits;
  const Reference* references = references_of(bytes, record);
  const uint32_t count = references_in(record.meta);
  const Locked locked(desk);
  if (!are_sound(desk.arena, references, count)) return PipeResult::damaged;
  if (!has_room_for_blocks(desk, number, block_bytes(desk.arena, record, references)))
    return PipeResult::waits;
  desk.block.doubt = count > 0 ? 1 : 0;
  MP_POINT("pipe.doubted");
  if (count > 0 && (*failed = keep(desk, references, count))) return PipeResult::failed;
  ring_write(ring, tail, room, bytes, units);
  if (count > 0) words.carried.store(tail + room, memory_order_seq_cst);  // first: the message must be found
  MP_POINT("pipe.written");
  words.tail.store(tail + room, memory_order_seq_cst);
  MP_POINT("pipe.put");
  desk.block.doubt = 0;
  return PipeResult::done;
}

PipeResult pipe_get(const PipeDesk& desk, uint32_t number, unsigned char* out, uint32_t room, uint32_t* units,
                    platform::Failure* failed) {
  const Ring ring = desk.ring(number);
  PipeRing& words = desk.block.ring[number];
  const uint32_t head = words.head.load(memory_order_relaxed), tail = words.tail.load(memory_order_acquire);
  if (head == tail) return PipeResult::waits;
  uint32_t at;
  Record record;
  if (!ring_front(ring, head, tail, &at, &record)) return PipeResult::damaged;
  *units = static_cast<uint32_t>(record_units(record));
  if (*units > room) return PipeResult::too_large;
  memcpy(out, ring.at(at), size_t{*units} * kUnit);
  memcpy(out, &record, sizeof record);  // as it was checked: from here on nothing is read from the ring (R2)
  const Reference* references = references_of(out, record);
  const uint32_t count = references_in(record.meta);
  const Locked locked(desk);
  desk.block.doubt = count > 0 ? 1 : 0;
  if ((*failed = hold_each(desk.arena, desk.me, references, count))) return PipeResult::failed;
  MP_POINT("pipe.copied");
  words.head.store(at + *units, memory_order_seq_cst);
  MP_POINT("pipe.got");
  for (uint32_t i = 0; i < count && desk.block.keeper != 0; i++)
    if (!is_referred_to(desk, references[i].index))
      keeper_clear(desk.arena, desk.block.keeper, references[i].index);
  MP_POINT("pipe.let_go");
  desk.block.doubt = 0;
  return PipeResult::done;
}

void pipe_end_abandon(const Arena& arena, uint32_t end, OwnerId dead) {
  PipeEnd& e = reinterpret_cast<PipeEnd&>(arena.slot(end));
  abandon(e.sender, dead);
  abandon(e.receiver, dead);
}

}  // namespace mp
