// Named points between two steps on shared memory: where a test may kill the process, or run somebody else first.
//
// In a normal build a point is nothing. test/native compiles core/ with MP_TEST_POINTS and gives `at_point` a body: the
// kill storm raises SIGKILL there, the fake scheduler switches to another participant.
#pragma once

#ifdef MP_TEST_POINTS
namespace mp::test {
void at_point(const char* name);
}
#define MP_POINT(name) ::mp::test::at_point(name)
#else
#define MP_POINT(name) ((void)0)
#endif
