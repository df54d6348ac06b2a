// A bell: a word that somebody waits for to change, and the others who could be the one to change it.
//
// What waits for a lock watches its owner. What waits for a monitor or an event cannot know who will ring: it watches
// everybody that has the object open. Whoever finds one of them dead sweeps, which gives back and grants what the dead one
// held; then it looks at its own bell again.
//
// B1  A bell changes when its waiter has something to hear of. After a death it may change once more: who waits for what can
//     come in parts looks, and waits again.
// B2  Who opens the object after a waiter has parked is not watched by it, nor is anybody beyond kPeersMax. Should such a
//     one die between changing the object and waking, the ceiling of the park does it.
#pragma once

#include "core/lock.h"
#include "core/spin.h"

namespace mp {

/// The order of numbers that wrap.
constexpr bool comes_before(uint32_t ticket, uint32_t other) {
  return static_cast<int32_t>(ticket - other) < 0;
}

/// One wait for one bell.
struct BellWait {
  const Arena& arena;
  uint32_t index;  // of the object
  Word& word;
  uint32_t value;  // what it was
  OwnerId me;
  Word* sleeps = nullptr;  // of an event: where to say that somebody sleeps (event.h, E2)
  // Of a pipe's end (pipe.h):
  Word* awaited = nullptr;       // where to leave a mark that says the same
  platform::Watch also[2] = {};  // words that ring it as well
};

inline constexpr uint32_t kPeersMax = 40;

inline bool bell_rung(const BellWait& wait) {
  if (wait.word.load(std::memory_order_seq_cst) != wait.value) return true;
  for (const platform::Watch& w : wait.also)
    if (w.word != nullptr && w.word->load(std::memory_order_seq_cst) != w.value) return true;
  return false;
}
/// The mark of who sleeps until a word is no longer `value`; never 0.
constexpr uint32_t sleep_mark(uint32_t value) { return value << 1 | 1; }
/// To be called before each look that precedes a park.
void bell_expect(const BellWait& wait);
/// What else to watch: the tokens of the others that have the object open. Returns how many.
uint32_t bell_peers(const BellWait& wait, platform::Watch (&peers)[kPeersMax]);
/// To be called after a park that was not ended by the bell: gives back what the dead held. `as` is `me`, or its helper.
void bell_sweep(const BellWait& wait, uint32_t as);
/// Waits within a short yield-spin. False: it has not rung.
inline bool bell_spin(const BellWait& wait) {
  return spin_until([&] { return bell_rung(wait); });
}
/// Waits until the bell has rung (acquired). The rest as in lock_acquire. Spin first.
Outcome bell_wait(const BellWait& wait, int64_t deadline, Word* interrupt, bool (*ended)(void*) = nullptr,
                  void* context = nullptr);

}  // namespace mp
