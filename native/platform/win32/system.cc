// Odds and ends of the system.
#include "platform/win32/win32.h"

#include <errno.h>

/// RtlGenRandom, as the library exports it.
extern "C" BOOLEAN NTAPI SystemFunction036(void* bytes, ULONG size);

namespace mp::platform {

Failure random_bytes(void* bytes, size_t size) {
  auto* at = static_cast<unsigned char*>(bytes);
  while (size > 0) {
    constexpr size_t most = 1 << 20;
    const auto step = static_cast<ULONG>(size < most ? size : most);
    if (!SystemFunction036(at, step)) return {EIO, "RtlGenRandom"};
    at += step;
    size -= step;
  }
  return {};
}

uint32_t handle_count() {
  DWORD count = 0;
  return GetProcessHandleCount(GetCurrentProcess(), &count) ? count : 0;
}

void process_exit_now(int32_t code) {
  TerminateProcess(GetCurrentProcess(), static_cast<UINT>(code));
  for (;;) Sleep(INFINITE);
}

void* symbol(const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(GetModuleHandleW(nullptr), name));
}

void stay_loaded() {
  HMODULE own;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                     reinterpret_cast<LPCWSTR>(&stay_loaded), &own);
}

}  // namespace mp::platform
