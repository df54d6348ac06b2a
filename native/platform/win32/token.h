// A token is a word that says which process has it, and when that process started.
//
//   word         state
//   0            free
//   pid | 1      being taken: `started` is not its own yet
//   pid | 2      taken by the process with that pid that started then
//
// Pids are multiples of four. A token stands for the whole process: the threads of a process that lives on give theirs back
// (a thread of Node's ends through its clean-up hooks, or with its process).
//
// T1  Only who has turned the word to pid|1 writes `started`, and only it turns the word to pid|2.
// T2  pid|2 is dead if no process with that pid and start time runs; pid|1, if none with that pid does: whoever has the pid
//     after a taker that died there keeps the token from being taken as long as it runs, which costs one participant.
// T3  A process has ended when the system says so of its object: all its threads are gone by then, and what they had begun.
//
// Death    who waits for a token waits on the process itself, too (parking.cc), and so is woken by its end.
#pragma once

#include "platform/win32/peers.h"

namespace mp::platform {

inline constexpr uint64_t kTokenMagic = 0x6e656b6f54504d2e;
inline constexpr uint32_t kTaking = 1, kTaken = 2, kPidMask = ~3u;

struct TokenParts {
  Word word;
  uint32_t reserved;
  uint64_t magic;
  std::atomic<uint64_t> started;
};
static_assert(sizeof(TokenParts) <= sizeof(Token));

inline TokenParts* parts_of(Token* t) { return reinterpret_cast<TokenParts*>(t->opaque); }
inline const TokenParts* parts_of(const Token* t) { return reinterpret_cast<const TokenParts*>(t->opaque); }
/// The start time to hold a taker to.
inline uint64_t started_of(const TokenParts& t, uint32_t word) {
  return (word & kTaken) != 0 ? t.started.load(std::memory_order_acquire) : 0;
}

}  // namespace mp::platform
