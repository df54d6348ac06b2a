// A seeded world in one thread: participants are coroutines, time is virtual, deaths and switches come from the seed.
//
// Every step (see atomic.h), park, unpark and yield is a decision: go on, let another one run, stall this one for long,
// or kill it. A killed coroutine never runs again; its tokens are marked and one watcher of each is woken, as the kernel
// does. The same seed gives the same run.
#pragma once

#include <cstdint>

#include "platform/platform.h"

namespace mp::fake {

struct World {
  uint64_t seed = 1;
  uint32_t switch_one_in = 4;  // of all steps
  uint32_t stall_one_in = 0;   // of all switches; 0: nobody stalls
  uint32_t kill_one_in = 0;    // of all steps; 0: nobody dies
  uint32_t kills_at_most = 0;
  int64_t step_ns = 1000;
  /// Called with nobody able to run, before time jumps to the next wake.
  void (*on_idle)() = nullptr;
  void (*on_death)(int id) = nullptr;
};

void begin(const World& world);
/// Adds a coroutine. It may be called from one.
int spawn(void (*body)(uint64_t argument), uint64_t argument);
/// Runs until every coroutine has ended or died.
void run();

int self();  // 0: outside of all coroutines
bool alive(int id);
uint32_t random(uint32_t below);
void nap(int64_t ns);
uint32_t kills();
/// Ends the calling coroutine as a thread ends that never left.
[[noreturn]] void die();
/// The parked ones and the words they sleep on.
struct Parked {
  int id;
  const platform::Watch* watches;
  uint32_t count;
};
uint32_t parked(Parked* out, uint32_t capacity);
/// Prints the seed and what went wrong, and aborts.
[[noreturn]] void fail(const char* what);

}  // namespace mp::fake
