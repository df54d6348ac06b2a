#include "platform/win32/win32.h"

namespace mp::platform {
namespace {

constexpr SIZE_T kStackBytes = 256 * 1024;

struct Start {
  void (*body)(void*);
  void* argument;
};

DWORD WINAPI run(void* p) {
  const Start start = *static_cast<Start*>(p);
  delete static_cast<Start*>(p);
  start.body(start.argument);
  return 0;
}

}  // namespace

Failure thread_start(const char*, void (*body)(void*), void* argument, Thread* out) {
  auto* start = new Start{body, argument};
  HANDLE thread = CreateThread(nullptr, kStackBytes, run, start, STACK_SIZE_PARAM_IS_A_RESERVATION, nullptr);
  if (thread == nullptr) {
    delete start;
    return failed_call("CreateThread");
  }
  out->handle = static_cast<unsigned long>(reinterpret_cast<uintptr_t>(thread));
  return {};
}

void thread_join(Thread thread) {
  HANDLE handle = reinterpret_cast<HANDLE>(static_cast<uintptr_t>(thread.handle));
  WaitForSingleObject(handle, INFINITE);
  CloseHandle(handle);
}

}  // namespace mp::platform
