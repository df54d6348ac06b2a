// An event: set or clear, in one word.
//
//   Slot::value, low half    bits 31..1   how often it has been set      bit 0   set
//   Slot::word               1: somebody waits, or did once
//
// E1  Only set() changes a clear event's word. Who waits from a clear one on is done when the word differs, whatever has
//     become of it since: no clear() that follows takes a wake-up back.
// E2  Who waits says so in Slot::word before it looks at the value a last time; who sets changes the value before it looks
//     there. One of the two sees the other.
//     It stays 1 from then on: who took it down for those it wakes would do so for one that has come since, after a clear(),
//     and sleeps on: the next set() would pass it by.
// E3  Nothing is held and nobody is counted: any participant may die at any step. One that dies between changing the value
//     and waking is noticed by its token (bell.h).
//
// Writers  value: anybody, by compare-and-swap (JavaScript as well). word: anybody.
#pragma once

#include "core/arena.h"

namespace mp {

inline Word& event_word(Slot& slot) { return reinterpret_cast<Word&>(slot.value); }
constexpr bool event_set_in(uint32_t word) { return word & 1; }

/// Sets it and wakes all who wait. False: it was set.
bool event_set(Slot& slot);
/// Wakes all who wait, after the word was changed.
void event_wake(Slot& slot);
/// Clears it. False: it was clear.
bool event_clear(Slot& slot);
/// Says that somebody will wait. Returns the word to wait from; a set one need not be waited for.
uint32_t event_expect(Slot& slot);

}  // namespace mp
