// Ctrl-C and its like, which the system tells a process in a thread of its own.
#include "platform/win32/win32.h"

namespace mp::platform {
namespace {

Word interrupts{0};

/// Libuv's own handler, and the default one behind it, are asked next.
BOOL WINAPI count(DWORD event) {
  if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT) return FALSE;
  interrupts.fetch_add(1, std::memory_order_release);
  unpark(&interrupts, kAll);
  return FALSE;
}

}  // namespace

Word* interrupt_word() { return &interrupts; }

void interrupt_watch() {
  static const BOOL set = SetConsoleCtrlHandler(count, TRUE);
  (void)set;
}

void leave_terminal_interrupts() {}

}  // namespace mp::platform
