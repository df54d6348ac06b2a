// The named locks that one JavaScript environment has open: each mapped by it alone, with a participant of its own.
#pragma once

#include <node_api.h>

#include <vector>

#include "core/named_lock.h"
#include "node/build_segment.h"

namespace mp::node {

/// In calls that take the index of a lock, from here on they are indices of named ones.
inline constexpr uint32_t kNamedLockBase = kSlotMax;
/// Of one environment: each costs an entry in its thread's robust list, of which the kernel reads 2,048.
inline constexpr uint32_t kNamedLocksMax = 1024;

struct NamedLock {
  Arena arena;
  OwnerId me;
  platform::FileFacts file;
  uint32_t guard;
  NamedSegment header;  // as it was when it was opened
};

/// Whether nobody has damaged it, as far as its header, our place in it and lost pages tell (N2).
bool named_lock_intact(const NamedLock& lock);

class NamedLocks {
 public:
  ~NamedLocks();
  /// The index of an open lock, from 0. A file that is open here already is not opened again.
  platform::Failure open(const FoundSegment& found, uint32_t environment, uint32_t* index);
  void close(uint32_t index);
  /// Null: there is none.
  NamedLock* at(uint32_t index) const { return index < table_.size() ? table_[index] : nullptr; }
  void rename(const char* name);
  /// In a forked child: the participant is its parent's, it needs its own. `found`: the lock's file, by its name; null if
  /// there is none any more. Without it the lock counts as damaged here.
  platform::Failure enter_again(uint32_t index, const FoundSegment* found, uint32_t environment);

 private:
  std::vector<NamedLock*> table_;  // null: free
  uint32_t count_ = 0;
};

}  // namespace mp::node
