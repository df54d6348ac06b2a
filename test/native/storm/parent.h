// The parent of a storm: has so many workers, kills them, and starts others in their place.
#pragma once

#include "support/arena.h"

namespace mp::test {

/// Of the command line; `locks` is for storm.cc.
struct Options {
  uint64_t kills = 2000, workers = 4, locks = 1, points = 0, seed = 1;
  bool random = false, broken = false;
};

/// Ends the program with 2 for a word it does not know. Seeds below().
Options parse_options(int count, char** words, uint64_t workers_max);

struct Storm {
  const Options& options;
  /// Worker `number`; dies at the named point, after it was there `after` times. nullptr: at no point of its own.
  void (*work)(uint32_t number, const char* point, uint32_t after);
  /// Workers below this one are never killed.
  uint32_t mortal_from;
  /// Whether to go on: nothing has been found yet.
  bool (*goes_on)();
  /// Does the sweeping that an idle participant does, now and then.
  void (*sweep)();
};

/// Until enough have died, at every point often enough. In the end all are dead and swept. Returns how many.
uint64_t run_storm(const Storm& storm);
/// Prints how often each point was hit; 1 if one was hit too rarely.
uint64_t missed_points(const Options& options);

inline unsigned long long printable(uint64_t n) { return n; }

}  // namespace mp::test
