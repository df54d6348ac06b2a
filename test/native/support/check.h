// The whole test framework: TEST("name") { CHECK(…); }, and check_main() runs what the command line names, or all.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace mp::test {

struct Test {
  const char* name;
  void (*body)();
  Test* next;
};
inline Test* all_tests = nullptr;
struct Registered : Test {
  Registered(const char* name, void (*body)()) : Test{name, body, all_tests} { all_tests = this; }
};

/// Ends a test that cannot run here. Said aloud: a skipped test is not a passed one.
inline const char* skipped = nullptr;

inline int check_main(int count, char** names) {
  int run = 0;
  for (Test* t = all_tests; t != nullptr; t = t->next) {
    bool wanted = count <= 1;
    for (int i = 1; i < count; i++) wanted |= strstr(t->name, names[i]) != nullptr;
    if (!wanted) continue;
    skipped = nullptr;
    t->body();
    if (skipped != nullptr) printf("  skipped: %s (%s)\n", t->name, skipped);
    run++;
  }
  printf("%d tests passed\n", run);
  return run > 0 ? 0 : 1;
}

}  // namespace mp::test

#define MP_JOIN2(a, b) a##b
#define MP_JOIN(a, b) MP_JOIN2(a, b)
#define TEST(name)                                                                              \
  static void MP_JOIN(test_, __LINE__)();                                                       \
  static ::mp::test::Registered MP_JOIN(registered_, __LINE__)(name, MP_JOIN(test_, __LINE__)); \
  static void MP_JOIN(test_, __LINE__)()
#define CHECK(claim)                                                      \
  do {                                                                    \
    if (!(claim)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim); \
      abort();                                                            \
    }                                                                     \
  } while (0)
#define SKIP(why)              \
  do {                         \
    ::mp::test::skipped = why; \
    return;                    \
  } while (0)
