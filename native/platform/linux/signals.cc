// Counting the SIGINT and SIGTERM that a handler of this program receives.
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

}  // namespace

Word* interrupt_word() { return &interrupts; }

void interrupt_watch() {
  for (int i = 0; i < 2; ++i) {
    struct sigaction now;
    if (sigaction(kSignals[i], nullptr, &now) < 0) continue;
    const bool with_info = (now.sa_flags & SA_SIGINFO) != 0;
    if (with_info && now.sa_sigaction == count_and_pass_on) continue;
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
