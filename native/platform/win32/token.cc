#include "platform/win32/token.h"

namespace mp::platform {

void token_init(Token* t) {
  TokenParts* p = parts_of(t);
  p->word.store(0, std::memory_order_relaxed);
  p->started.store(0, std::memory_order_relaxed);
  p->magic = kTokenMagic;
}

TokenTake token_take(Token* t, TokenForm form) {
  if (form == TokenForm::apart) return TokenTake::unsupported;  // of named locks, which are not there yet
  TokenParts* p = parts_of(t);
  uint32_t word = p->word.load();
  const bool dead = word != 0;
  if (dead && !token_dead(t, word)) return TokenTake::busy;
  const uint32_t own = process_id();
  if (!p->word.compare_exchange_strong(word, own | kTaking)) return TokenTake::busy;
  p->started.store(process_start_time(own));
  p->word.store(own | kTaken);  // release: with it, `started` (T1)
  return dead ? TokenTake::from_dead : TokenTake::fresh;
}

void token_release(Token* t, TokenForm) {
  parts_of(t)->word.store(0);
  unpark(&parts_of(t)->word, kAll);
}

Word* token_word(Token* t, TokenForm) { return &parts_of(t)->word; }

bool token_dead(const Token* t, uint32_t word) {
  if (word == 0) return true;
  const uint32_t pid = word & kPidMask;
  const uint64_t started = started_of(*parts_of(t), word);
  if (pid == process_id()) return (word & kTaken) != 0 && started != process_start_time(pid);
  return peer_ended(pid, started);
}

bool token_is_polled() { return false; }

uint32_t token_layout() { return 0x57000000 | sizeof(TokenParts); }

// T3: a process whose end was seen writes no more.
void confirm_death(uint32_t, uint64_t) {}

}  // namespace mp::platform
