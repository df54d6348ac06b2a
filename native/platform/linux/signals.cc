// Counting the SIGINT and SIGTERM that a handler of this program receives; and whose a terminal's SIGINT is.
#include <signal.h>
#include <string.h>

#include "platform/platform.h"

namespace mp::platform {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM};

/// The handler that was there before ours, per signal. Replaced whole, never freed while a handler may read
/// it.
struct Earlier {
  std::atomic<void (*)(int)> plain{nullptr};
  std::atomic<void (*)(int, siginfo_t*, void*)> with_info{nullptr};
};
Earlier earlier[2];
Word interrupts{0};

void count_and_pass_on(int signal, siginfo_t* info, void* context) {
  interrupts.fetch_add(1, std::memory_order_release);
  unpark(&interrupts, kAll);
  const Earlier& next = earlier[signal == SIGINT ? 0 : 1];
  if (auto* handler = next.with_info.load(std::memory_order_acquire)) {
    handler(signal, info, context);
  } else if (auto* handler = next.plain.load(std::memory_order_acquire)) {
    handler(signal);
  }
}

/// What there was before leave_terminals().
struct sigaction with_terminals;

void leave_terminals(int signal, siginfo_t* info, void*) {
  if (info->si_code == SI_KERNEL) return;
  sigaction(signal, &with_terminals, nullptr);
  raise(signal);  // it arrives when we return
}

}  // namespace

void leave_terminal_interrupts() {
  struct sigaction now, ours = {};
  if (sigaction(SIGINT, nullptr, &now) < 0) return;
  // Node's own handler, good for once, gives the terminal back as it was, and lets the signal end the process.
  const bool nodes = (now.sa_flags & SA_RESETHAND) != 0;
  if (!nodes && ((now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL)) return;
  with_terminals = now;
  ours.sa_sigaction = leave_terminals;
  ours.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGINT, &ours, nullptr);
}

void listens_for_interrupts(bool) {}  // its handler tells

Word* interrupt_word() { return &interrupts; }

void interrupt_watch() {
  for (int i = 0; i < 2; ++i) {
    struct sigaction now;
    if (sigaction(kSignals[i], nullptr, &now) < 0) continue;
    const bool with_info = (now.sa_flags & SA_SIGINFO) != 0;
    if (with_info && (now.sa_sigaction == count_and_pass_on || now.sa_sigaction == leave_terminals)) continue;
    if (!with_info && (now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN)) continue;
    earlier[i].with_info.store(with_info ? now.sa_sigaction : nullptr, std::memory_order_release);
    earlier[i].plain.store(with_info ? nullptr : now.sa_handler, std::memory_order_release);
    // When the program drops its last listener, libuv sets the default action itself and ours goes with it.
    now.sa_sigaction = count_and_pass_on;
    now.sa_flags |= SA_SIGINFO;
    sigaction(kSignals[i], &now, nullptr);
  }
}

}  // namespace mp::platform
