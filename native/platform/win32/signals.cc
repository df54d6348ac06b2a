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

std::atomic<bool> program_listens{false};

/// Asked before libuv's handler, which was there first: TRUE is the end of it, FALSE leaves it to whoever listens.
BOOL WINAPI leave(DWORD event) { return event == CTRL_C_EVENT && !program_listens.load(); }

}  // namespace

Word* interrupt_word() { return &interrupts; }

void interrupt_watch() {
  static const BOOL set = SetConsoleCtrlHandler(count, TRUE);
  (void)set;
}

void leave_terminal_interrupts() { SetConsoleCtrlHandler(leave, TRUE); }

void listens_for_interrupts(bool yes) { program_listens.store(yes); }

}  // namespace mp::platform
