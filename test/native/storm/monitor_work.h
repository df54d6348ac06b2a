// What the workers of the monitor storm share with each other and with their parent.
#pragma once

#include <atomic>

#include "core/objects.h"
#include "support/arena.h"

namespace mp::test {

inline constexpr uint32_t kUnits = 3, kLooseUnits = 5, kSlots = 16, kPhases = 4096;
inline constexpr int64_t kStuckNs = 5 * kSecond;
using Counter = std::atomic<uint64_t>;

/// What one at a time may touch. `before` and `after` differ while somebody is inside, or died there.
struct Cell {
  volatile uint32_t owner;
  volatile uint64_t before, after;
};
struct Shared {
  Cell cells[3];  // of the semaphore with one unit, of its named twin, of the writers
  std::atomic<uint32_t> unit_users[kUnits];  // pids
  std::atomic<uint32_t> phases[kPhases];     // a phase, and the indices given in it
  uint32_t items;
  Counter granted, told, notified, woken, tripped, broken, sets, longest;
  Counter intruders, untold, overgranted, twice, stuck;
};
inline Shared* shared;
inline Arena tree, named;
enum Which { kOne, kThree, kLoose, kReaders, kStore, kGate, kFlag, kGuard, kObjects };
inline constexpr uint32_t kKinds[kObjects] = {kSemaphore, kSemaphore, kSemaphore, kRWLock,
                                              kCondition, kBarrier,   kEvent,     kLock};
inline uint32_t objects[kObjects], generations[kObjects];

/// Never returns. Dies at the point, if it has a name; number 0 never does.
[[noreturn]] void work(uint32_t number, const char* point, uint32_t after);

}  // namespace mp::test
