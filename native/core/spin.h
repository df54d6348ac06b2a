// Yield-spin: short, and never without yielding, because two processes often share one core.
#pragma once

#include "platform/platform.h"

namespace mp {

inline constexpr int kSpinRounds = 50, kSpinPauses = 16;

/// Spins until `done` says true, some 20 µs at most. False: it never did.
template <class F>
bool spin_until(F done) {
  for (int round = 0; round < kSpinRounds; round++) {
    for (int i = 0; i < kSpinPauses; i++) {
      if (done()) return true;
      platform::pause();
    }
    platform::yield();
  }
  return false;
}

}  // namespace mp
