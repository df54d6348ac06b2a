#include "core/event.h"

#include "core/point.h"

namespace mp {

using std::memory_order_seq_cst;

bool event_set(Slot& slot) {
  Word& word = event_word(slot);
  uint32_t w = word.load(memory_order_seq_cst);
  do {
    if (event_set_in(w)) return false;
  } while (!word.compare_exchange_weak(w, (w + 2) | 1, memory_order_seq_cst));
  MP_POINT("event.set");
  if (!comes_before(slot.word.load(memory_order_seq_cst), w | 1)) event_wake(slot);  // E2
  return true;
}

void event_wake(Slot& slot) {
  MP_POINT("event.about_to_wake");
  platform::unpark(&event_word(slot), platform::kAll);
}

bool event_clear(Slot& slot) {
  Word& word = event_word(slot);
  uint32_t w = word.load(memory_order_seq_cst);
  do {
    if (!event_set_in(w)) return false;
  } while (!word.compare_exchange_weak(w, w & ~1u, memory_order_seq_cst));
  return true;
}

}  // namespace mp
