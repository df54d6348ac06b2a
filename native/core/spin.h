// Yield-spin: short, and never without yielding, because two processes often share one core.
#pragma once

#include "platform/platform.h"

namespace mp {

inline constexpr int kSpinRounds = 50, kSpinPauses = 16;
/// A spin that lasts longer has yielded to a program that computes. Linux (6.18) takes a slice of 3 ms off whoever yields, each
/// time: fifty times is a thread that does not run for 140 ms, with what it was granted meanwhile.
inline constexpr int64_t kSpinLongNs = 100'000;

/// Spins until `done` says true, some 20 µs at most where nothing else computes. False: it never did.
template <class F>
bool spin_until(F done) {
  int64_t since = 0;
  for (int round = 0; round < kSpinRounds; round++) {
    for (int i = 0; i < kSpinPauses; i++) {
      if (done()) return true;
      platform::pause();
    }
    if (round == 0) since = platform::monotonic_now();
    platform::yield();
    if (platform::monotonic_now() - since > kSpinLongNs) return done();
  }
  return false;
}

}  // namespace mp
