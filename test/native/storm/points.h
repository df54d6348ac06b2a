// Dying at a named point of the core: which points there are, how many have died at each, and where this process is to.
#pragma once

#include <atomic>
#include <cstdint>

namespace mp::test {

struct Point {
  std::atomic<const char*> name;  // the same address in every process: they are all forks of one
  std::atomic<uint64_t> deaths;
};
inline constexpr uint32_t kPoints = 96;
/// Shared by all processes; made before the first fork.
extern Point* points;

/// Makes `points` and puts `names` into it. `rare`, null-terminated: nobody is sent there.
void points_prepare(const char* const* names, uint32_t count, const char* const* rare);
/// The point of those names where fewest have died, or, half of the time, any that somebody has come by.
const char* pick_point(uint64_t* fewest);
/// Whether a process that comes to a point lets another one run there, now and then.
extern bool points_yield;
void print_points();

/// From here on this process dies at the point, when it has come there `after` times. Null: nowhere.
void die_at_point(const char* name, uint32_t after);
/// Where it is to die, if it begins with `prefix`.
bool dies_at(const char* prefix);

uint64_t next_random();
uint32_t below(uint32_t n);
extern uint64_t random_state;

}  // namespace mp::test
