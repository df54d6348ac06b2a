// What the files of this folder share. Descriptors of ours, as platform.h's callers hold them, are numbers of our own:
//
//   0 to 63     what this process inherited at that position (see spawn.cc): 0, 1, 2 its standard streams
//   64 and up   64 + a quarter of a HANDLE's value, which is a multiple of four and fits 32 bits in every process
//
// They are not those of a C library: this file may be linked with another one than Node is, and sections, processes and
// events have no number in any. A child has the same HANDLEs under the same values, so a number of 64 and up means the same
// in both.
#pragma once

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00
#endif
#include <windows.h>

#include "platform/platform.h"

namespace mp::platform {

inline constexpr int kFirstHandle = 64;

/// INVALID_HANDLE_VALUE: nothing is there.
HANDLE handle_of(int fd);
int number_of(HANDLE handle);
/// The errno value that says the same as an error of the system.
int code_of(DWORD error);
/// Of what was just called.
inline Failure failed_call(const char* name) { return {code_of(GetLastError()), name}; }
/// When a process started; 0 once it has ended.
uint64_t start_time_of(HANDLE process);

/// The lock of the system's own kind that needs no construction and no destruction.
class Guard {
 public:
  explicit Guard(SRWLOCK* lock) : lock_(lock) { AcquireSRWLockExclusive(lock); }
  ~Guard() { ReleaseSRWLockExclusive(lock_); }
  Guard(const Guard&) = delete;

 private:
  SRWLOCK* lock_;
};

/// An end that comes by itself is a number of the program's. One that we bring about says by which signal: no program ends with
/// such a number of its own accord.
inline constexpr uint32_t kSignalled = 0xE04D5000;
inline constexpr uint32_t kSignalMask = 0x000000ff;

}  // namespace mp::platform
