// Parking on shared futexes: futex_waitv (Linux 5.16) watches many words at once.
#include "platform/platform.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace mp::platform {
namespace {

constexpr long kFutexWaitv = 449;  // the same number on every architecture
constexpr uint32_t kFutex32 =
    2;  // FUTEX2_SIZE_U32, without FUTEX2_PRIVATE: words are shared between processes
constexpr int64_t kSingleWordNs = 5'000'000;

struct Waiter {  // struct futex_waitv; libc headers of our floor do not know it
  uint64_t value, address;
  uint32_t flags, reserved;
};

std::atomic<bool> no_waitv{false};  // ENOSYS from an old kernel, EPERM from a seccomp filter

timespec to_timespec(int64_t ns) {
  if (ns < 0) ns = 0;
  return {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
}

/// Sleeps on the first word only, and briefly: the caller looks at the others each time it returns.
void park_on_first(const Watch* watches, int64_t wake_at) {
  const int64_t now = monotonic_now();
  const int64_t left = wake_at - now < kSingleWordNs ? wake_at - now : kSingleWordNs;
  const timespec t = to_timespec(left);
  syscall(SYS_futex, watches[0].word, FUTEX_WAIT, watches[0].value, &t, nullptr, 0);
}

}  // namespace

void park(const Watch* watches, uint32_t count, int64_t wake_at) {
  if (no_waitv.load(std::memory_order_relaxed)) return park_on_first(watches, wake_at);
  Waiter waiters[kWatchMax];
  for (uint32_t i = 0; i < count; i++)
    waiters[i] = {watches[i].value, reinterpret_cast<uint64_t>(watches[i].word), kFutex32, 0};
  const timespec t = to_timespec(wake_at);
  if (syscall(kFutexWaitv, waiters, count, 0, &t, CLOCK_MONOTONIC) >= 0) return;
  // EAGAIN (a value differs), ETIMEDOUT and EINTR are all "look again".
  if (errno == ENOSYS || errno == EPERM) no_waitv.store(true, std::memory_order_relaxed);
}

void unpark(Word* word, uint32_t count) { syscall(SYS_futex, word, FUTEX_WAKE, count, nullptr, nullptr, 0); }

void yield() { sched_yield(); }

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile(
      "isb" ::
          : "memory");  // yield is a no-op on most arm64 cores; isb takes about as long as x86's pause
#endif
}

}  // namespace mp::platform
