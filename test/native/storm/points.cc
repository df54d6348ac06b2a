#include "storm/points.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/point.h"

namespace mp::test {

Point* points;
uint64_t random_state;
bool points_yield = false;

namespace {

const char* const* rare_names;
uint32_t named_count;
const char* where = nullptr;
uint32_t times;
bool in_worker = false;

bool is_rare(const char* name) {
  for (const char* const* rare = rare_names; *rare != nullptr; rare++)
    if (strcmp(*rare, name) == 0) return true;
  return false;
}

Point& point(const char* name) {
  for (uint32_t i = 0; i < kPoints; i++) {
    Point& p = points[i];
    const char* known = p.name.load(std::memory_order_acquire);
    if (known == nullptr && p.name.compare_exchange_strong(known, name)) return p;
    if (known == name || strcmp(known, name) == 0) return p;
  }
  abort();
}

}  // namespace

void points_prepare(const char* const* names, uint32_t count, const char* const* rare) {
  void* at =
      mmap(nullptr, kPoints * sizeof(Point), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) abort();
  points = static_cast<Point*>(at);
  rare_names = rare;
  named_count = count;
  for (uint32_t i = 0; i < count; i++) point(names[i]);
}

const char* pick_point(uint64_t* fewest) {
  const Point* least = nullptr;
  uint32_t known = 0;
  for (; known < kPoints && points[known].name != nullptr; known++) {
    const Point& p = points[known];
    if (known < named_count && !is_rare(p.name) && (least == nullptr || p.deaths < least->deaths)) least = &p;
  }
  *fewest = least ? least->deaths.load() : 0;
  if (known == 0) return nullptr;
  return below(2) == 0 ? least->name : points[below(known)].name;
}

void print_points() {
  for (uint32_t i = 0; i < kPoints && points[i].name != nullptr; i++)
    printf("  %6llu died at %s%s\n", static_cast<unsigned long long>(points[i].deaths.load()),
           points[i].name.load(), is_rare(points[i].name) ? " (rare)" : "");
}

void die_at_point(const char* name, uint32_t after) {
  where = name;
  times = after;
  in_worker = true;
}

bool dies_at(const char* prefix) { return where != nullptr && strncmp(where, prefix, strlen(prefix)) == 0; }

void at_point(const char* name) {
  if (!in_worker) return;
  Point& p = point(name);
  // Somebody else is to run in the middle of things, though they take a microsecond only.
  static uint32_t passed = 0;
  if (points_yield && ++passed % 16 == 0) sched_yield();
  if (where == nullptr || strcmp(where, name) != 0 || times-- != 0) return;
  p.deaths++;
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

uint64_t next_random() {
  uint64_t z = (random_state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}
uint32_t below(uint32_t n) { return static_cast<uint32_t>(next_random() % n); }

}  // namespace mp::test
