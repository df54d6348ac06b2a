// Time and identity.
#include "platform/win32/win32.h"

namespace mp::platform {

int64_t monotonic_now() {
  // Counts from the start of the machine, for everybody.
  static const int64_t frequency = [] {
    LARGE_INTEGER f;
    QueryPerformanceFrequency(&f);
    return static_cast<int64_t>(f.QuadPart);
  }();
  LARGE_INTEGER count;
  QueryPerformanceCounter(&count);
  const int64_t seconds = count.QuadPart / frequency, rest = count.QuadPart % frequency;
  return seconds * 1'000'000'000 + rest * 1'000'000'000 / frequency;
}

uint32_t process_id() { return GetCurrentProcessId(); }
uint32_t thread_id() { return GetCurrentThreadId(); }

uint64_t start_time_of(HANDLE process) {
  // Somebody's handle keeps what has ended: that is no process any more.
  if (WaitForSingleObject(process, 0) == WAIT_OBJECT_0) return 0;
  FILETIME created, ended, kernel, user;
  if (!GetProcessTimes(process, &created, &ended, &kernel, &user)) return 0;
  return uint64_t{created.dwHighDateTime} << 32 | created.dwLowDateTime;
}

uint64_t process_start_time(uint32_t pid) {
  static const uint64_t own = start_time_of(GetCurrentProcess());
  if (pid == GetCurrentProcessId()) return own;
  HANDLE process = OpenProcess(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
  if (process == nullptr) return 0;
  const uint64_t started = start_time_of(process);
  CloseHandle(process);
  return started;
}

uint64_t pid_namespace() { return 0; }

}  // namespace mp::platform
