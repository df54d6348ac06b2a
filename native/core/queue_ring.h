// The ring's side of a queue: its records, what they weigh, and what they keep. Everything here is called under the latch.
#pragma once

#include "core/queue.h"

namespace mp {

inline uint32_t low(uint64_t pair) { return static_cast<uint32_t>(pair); }
inline uint32_t high(uint64_t pair) { return static_cast<uint32_t>(pair >> 32); }
inline uint64_t pair_of(uint32_t low, uint32_t high) { return uint64_t{high} << 32 | low; }

inline bool has_flag(const QueueMonitor& q, uint32_t flag) {
  return q.flags.load(std::memory_order_relaxed) & flag;
}
inline void set_flag(QueueMonitor& q, uint32_t flag, bool on) {
  const uint32_t flags = q.flags.load(std::memory_order_relaxed);
  q.flags.store(on ? flags | flag : flags & ~flag, std::memory_order_relaxed);
}

/// Puts one record. `must_wait`: others go before.
QueueResult queue_put_one(const QueueDesk& desk, const unsigned char* bytes, uint32_t units, bool must_wait,
                          platform::Failure* failed);
/// Gets the record in front, into `out` if it has room for it.
QueueResult queue_get_one(const QueueDesk& desk, unsigned char* out, uint32_t room, uint32_t* units,
                          platform::Failure* failed);
/// Counts bytes and references anew (Q5).
void queue_recount(const QueueDesk& desk);

}  // namespace mp
