// Numbers for HANDLEs, and what this process inherited.
#include "platform/win32/descriptors.h"

#include <errno.h>
#include <string.h>

namespace mp::platform {
namespace {

/// Of the process that started us: see spawn.cc. Set once; a handle that is closed leaves INVALID_HANDLE_VALUE.
struct Inherited {
  int count = 0;
  std::atomic<HANDLE> handles[kFirstHandle];
};

Inherited& inherited() {
  static Inherited once;
  static const bool read = [] {
    STARTUPINFOW info = {};
    GetStartupInfoW(&info);
    int count = 0;
    if (info.lpReserved2 == nullptr || info.cbReserved2 < sizeof count) return false;
    memcpy(&count, info.lpReserved2, sizeof count);
    if (count < 0 || count > kFirstHandle || block_bytes(count) > info.cbReserved2) return false;
    for (int i = 0; i < count; i++) {
      HANDLE handle;
      memcpy(&handle, info.lpReserved2 + sizeof count + count + static_cast<size_t>(i) * sizeof handle,
             sizeof handle);
      once.handles[i].store(handle);
    }
    once.count = count;
    return true;
  }();
  (void)read;
  return once;
}

std::atomic<HANDLE>* position(int fd) {
  return fd >= 0 && fd < inherited().count ? &inherited().handles[fd] : nullptr;
}

}  // namespace

size_t block_bytes(int count) { return sizeof(int) + static_cast<size_t>(count) * (1 + sizeof(HANDLE)); }

HANDLE handle_of(int fd) {
  if (fd >= kFirstHandle) return reinterpret_cast<HANDLE>(static_cast<intptr_t>(fd - kFirstHandle) * 4);
  if (const auto* at = position(fd)) return at->load();
  constexpr DWORD streams[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
  HANDLE stream = fd >= 0 && fd < 3 ? GetStdHandle(streams[fd]) : nullptr;
  return stream == nullptr ? INVALID_HANDLE_VALUE : stream;
}

int number_of(HANDLE handle) {
  return static_cast<int>(reinterpret_cast<intptr_t>(handle) / 4) + kFirstHandle;
}

int descriptor_of(intptr_t handle) { return handle <= 0 ? -1 : number_of(reinterpret_cast<HANDLE>(handle)); }

int descriptor_in_others(int fd) {
  const HANDLE handle = handle_of(fd);
  return handle == INVALID_HANDLE_VALUE ? fd : number_of(handle);
}

void close_fd(int fd) {
  if (fd < 0) return;
  HANDLE handle = handle_of(fd);
  if (auto* at = position(fd)) handle = at->exchange(INVALID_HANDLE_VALUE);
  if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
}

Failure close_on_exec(int fd) {
  if (!SetHandleInformation(handle_of(fd), HANDLE_FLAG_INHERIT, 0))
    return failed_call("SetHandleInformation");
  return {};
}

// The standard streams of a child are its own here, and what is written to them is written when the call returns.
void own_pipe(int) {}
void await_space(int) {}
Failure move_fd(int, int) { return {ENOSYS, "multiproc"}; }

}  // namespace mp::platform
