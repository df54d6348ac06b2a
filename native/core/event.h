// An event: set or clear, in one word.
//
//   Slot::value, low half    bits 31..1   how often it has been set      bit 0   set
//   Slot::word               the latest clear word that somebody sleeps from, or did, and 1; 0: nobody ever did
//
// E1  Only set() changes a clear event's word. Who waits from a clear one on is done when the word differs, whatever has
//     become of it since: no clear() that follows takes a wake-up back.
// E2  Who is about to sleep says from which word in Slot::word, which only grows, before it looks at the value a last time;
//     who sets changes the value before it looks there for the word it has just ended, or a later one. One of the two sees the
//     other. Nobody takes it down: that would hit one who has come since, after a clear(), and sleeps on.
// E3  Nothing is held and nobody is counted: any participant may die at any step. One that dies between changing the value
//     and waking is noticed by its token (bell.h).
//
// Writers  value: anybody, by compare-and-swap (JavaScript as well). word: anybody.
#pragma once

#include "core/bell.h"

namespace mp {

inline Word& event_word(Slot& slot) { return reinterpret_cast<Word&>(slot.value); }
constexpr bool event_set_in(uint32_t word) { return word & 1; }

/// Sets it and wakes all who wait. False: it was set.
bool event_set(Slot& slot);
/// Wakes all who sleep.
void event_wake(Slot& slot);
/// Clears it. False: it was clear.
bool event_clear(Slot& slot);
/// A wait from a clear word on.
inline BellWait event_wait(const Arena& arena, uint32_t index, uint32_t from, OwnerId me) {
  Slot& slot = arena.slot(index);
  return {arena, index, event_word(slot), from, me, &slot.word};
}

}  // namespace mp
