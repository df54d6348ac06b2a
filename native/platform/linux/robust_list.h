// Entries of our own at the end of a thread's robust list, behind those of its libc.
#pragma once

#include <cstdint>

namespace mp::platform {

/// The kernel's entry of a robust word. It stands at a distance from the word that libc has chosen for the whole thread.
struct RobustEntry {
  void* previous;  // libc's: it keeps the list doubly linked
  void* next;      // what the list points at
};
/// From a word to its entry's `next`: what libc has in its own mutexes.
inline constexpr uintptr_t kEntryBehindMutex = 32;

/// Whether this libc keeps its list as we know it (glibc and musl on 64-bit systems do).
bool robust_list_is_known();
/// Announces to the kernel that the word of this entry is about to become ours, or not to be: it looks at it as well if
/// the thread dies before robust_done().
void robust_pending(RobustEntry* entry);
void robust_done();
bool robust_has(const RobustEntry* entry);
void robust_enlist(RobustEntry* entry);
void robust_unlist(RobustEntry* entry);

}  // namespace mp::platform
