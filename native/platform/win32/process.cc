// Children, and this process as its parent's child. No signals here: a process is ended at once, by whoever has its handle.
#include <errno.h>

#include <vector>

#include "platform/win32/win32.h"
#include <tlhelp32.h>

namespace mp::platform {
namespace {

constexpr int kInterrupt = 2, kIllegal = 4, kAbort = 6, kFloat = 8, kKill = 9, kFault = 11, kTerminate = 15;
constexpr int64_t kInterruptPollNs = 20'000'000;

/// What a process that nobody ended died of.
int signal_of(DWORD code) {
  switch (code) {
    case 0xC0000005:  // access violation
    case 0xC0000006:  // in-page error
    case 0xC00000FD:  // stack overflow
      return kFault;
    case 0xC000001D:  // illegal instruction
      return kIllegal;
    case 0xC000008E:  // float divided by zero
    case 0xC0000094:  // integer divided by zero
      return kFloat;
    case 0x80000003:  // breakpoint, which is how V8 gives up
    case 0xC0000409:  // fail-fast
      return kAbort;
    case 0xC000013A:  // Ctrl-C
      return kInterrupt;
    default:
      return (code & ~kSignalMask) == kSignalled ? static_cast<int>(code & kSignalMask) : 0;
  }
}

/// Negative ones would read as signals.
int32_t exit_code_of(DWORD code) {
  if (const int signal = signal_of(code)) return -signal;
  return static_cast<int32_t>(code <= INT32_MAX ? code : code & 0xff);
}

struct Followed {
  HANDLE parent, ending;
};

HANDLE ending_bell() {
  // Rings for good: children that look later hear it, too.
  static HANDLE const bell = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  return bell;
}

DWORD WINAPI follow(void* data) {
  const Followed followed = *static_cast<Followed*>(data);
  delete static_cast<Followed*>(data);
  const HANDLE either[] = {followed.parent, followed.ending};
  if (WaitForMultipleObjects(2, either, FALSE, INFINITE) == WAIT_FAILED) return 0;
  SetEvent(ending_bell());
  TerminateProcess(GetCurrentProcess(), kSignalled | kTerminate);
  return 0;
}

DWORD milliseconds_until(int64_t wake_at) {
  const int64_t left = wake_at - monotonic_now();
  if (left <= 0) return 0;
  const int64_t ms = left / 1'000'000 + 1;
  return static_cast<DWORD>(ms < INT32_MAX ? ms : INT32_MAX);
}

}  // namespace

Failure process_signal(int handle, int signal) {
  HANDLE process = handle_of(handle);
  if (WaitForSingleObject(process, 0) == WAIT_OBJECT_0) return {ESRCH, "TerminateProcess"};
  if (signal == 0) return {};
  if (signal != kInterrupt && signal != kTerminate && signal != kKill) return {ENOSYS, "TerminateProcess"};
  if (TerminateProcess(process, kSignalled | static_cast<uint32_t>(signal))) return {};
  const Failure failed = failed_call("TerminateProcess");
  // It is ending already.
  return WaitForSingleObject(process, 1000) == WAIT_OBJECT_0 ? Failure{ESRCH, "TerminateProcess"} : failed;
}

Failure process_reap(int handle, bool* ended, int32_t* exit_code) {
  HANDLE process = handle_of(handle);
  const DWORD waited = WaitForSingleObject(process, 0);
  if (waited == WAIT_FAILED) return failed_call("WaitForSingleObject");
  *ended = waited == WAIT_OBJECT_0;
  if (!*ended) return {};
  DWORD code;
  if (!GetExitCodeProcess(process, &code)) return failed_call("GetExitCodeProcess");
  *exit_code = exit_code_of(code);
  return {};
}

void processes_ended(const int* handles, int count, bool* ended) {
  for (int i = 0; i < count; i++) ended[i] = WaitForSingleObject(handle_of(handles[i]), 0) == WAIT_OBJECT_0;
}

bool process_wait(int handle, int64_t wake_at, const Word* interrupt, uint32_t interrupt_value) {
  HANDLE process = handle_of(handle);
  for (;;) {
    if (WaitForSingleObject(process, 0) != WAIT_TIMEOUT) return true;
    if (interrupt != nullptr && interrupt->load(std::memory_order_acquire) != interrupt_value) return false;
    const int64_t now = monotonic_now();
    if (now >= wake_at) return false;
    // In slices: what interrupts comes in another thread.
    const bool sliced = interrupt != nullptr && wake_at - now > kInterruptPollNs;
    if (WaitForSingleObject(process, milliseconds_until(sliced ? now + kInterruptPollNs : wake_at)) !=
        WAIT_TIMEOUT)
      return true;
  }
}

Failure process_self_handle(int* handle) {
  HANDLE self = nullptr;
  if (!DuplicateHandle(GetCurrentProcess(), GetCurrentProcess(), GetCurrentProcess(), &self,
                       SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, 0))
    return failed_call("DuplicateHandle");
  *handle = number_of(self);
  return {};
}

Failure process_ending(int* bell) {
  if (ending_bell() == nullptr) return {EMFILE, "CreateEventW"};
  *bell = number_of(ending_bell());
  return {};
}

Failure follow_parent(int parent_handle, int parent_ending) {
  auto* followed = new Followed{handle_of(parent_handle), handle_of(parent_ending)};
  HANDLE thread = CreateThread(nullptr, 65536, follow, followed, STACK_SIZE_PARAM_IS_A_RESERVATION, nullptr);
  if (thread == nullptr) {
    delete followed;
    return failed_call("CreateThread");
  }
  CloseHandle(thread);
  return {};
}

void process_children(uint32_t pid, std::vector<uint32_t>* children) {
  HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
  if (snapshot == INVALID_HANDLE_VALUE) return;
  PROCESSENTRY32W entry;
  entry.dwSize = sizeof entry;
  // Of a process that has ended the children are nobody's: its pid may have been another's before.
  const uint64_t since = process_start_time(pid);
  if (since == 0) {
    CloseHandle(snapshot);
    return;
  }
  for (BOOL more = Process32FirstW(snapshot, &entry); more; more = Process32NextW(snapshot, &entry)) {
    // The parent's pid is what it was: that of a parent that has ended may be somebody else's by now, who is younger.
    if (entry.th32ParentProcessID != pid || entry.th32ProcessID == pid) continue;
    if (process_start_time(entry.th32ProcessID) >= since) children->push_back(entry.th32ProcessID);
  }
  CloseHandle(snapshot);
}

}  // namespace mp::platform
