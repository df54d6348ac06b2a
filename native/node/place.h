// What an index means to an environment: an object of the tree's arena, or a named lock that it has open.
#pragma once

#include "core/lock.h"
#include "node/environment.h"

namespace mp::node {

struct Place {
  const Arena& arena;
  uint32_t index;
  OwnerId me;
  const NamedLock* named;

  Slot& slot() const { return arena.slot(index); }
  bool damaged() const { return named != nullptr && !named_lock_intact(*named); }
};
inline Place place_of(void* data, uint32_t index) {
  Environment& e = *static_cast<Environment*>(data);
  if (index < kNamedLockBase) return {process_arena(), index, e.me, nullptr};
  const NamedLock* lock = e.named_locks.at(index - kNamedLockBase);
  return {lock->arena, 0, lock->me, lock};
}
inline int64_t deadline_of(double timeout_ms) {
  constexpr double kForever = 9e15;  // nanoseconds: 104 days
  return timeout_ms * 1e6 >= kForever ? INT64_MAX
                                      : platform::monotonic_now() + static_cast<int64_t>(timeout_ms * 1e6);
}

}  // namespace mp::node
