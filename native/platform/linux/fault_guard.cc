// Faults inside mappings of named segments: SIGBUS where a page has gone, SIGSEGV where a read-only page is written to.
//
// The table is static and only ever read by the handlers, which use nothing but atomics and system calls. A thread that
// faults inside a mapping uses it, so nobody unmaps it meanwhile: entries cannot vanish under a handler that finds them.
#include "platform/platform.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <mutex>

#include "platform/linux/fault_guard.h"

namespace mp::platform {
namespace {

/// `size` is 0 while the entry is free; it is written last and cleared first.
struct Guarded {
  std::atomic<uintptr_t> base;
  std::atomic<size_t> size;
  std::atomic<bool> read_only;
};
Guarded guarded[kGuardMax];  // entry 0 is nobody's
Word flags[kGuardMax];
Word high{1};  // entries from here on were never used
std::mutex table;

/// The handler that was there before ours, per signal.
struct Earlier {
  std::atomic<void (*)(int)> plain{SIG_DFL};
  std::atomic<void (*)(int, siginfo_t*, void*)> with_info{nullptr};
};
Earlier earlier_bus, earlier_segv;

uint32_t find(uintptr_t address) {
  const uint32_t end = high.load(std::memory_order_acquire);
  for (uint32_t i = 1; i < end; i++) {
    const uintptr_t base = guarded[i].base.load(std::memory_order_acquire);
    const size_t size = guarded[i].size.load(std::memory_order_acquire);
    // The base once more: the entry may have changed hands between the two.
    if (address - base < size && guarded[i].base.load(std::memory_order_acquire) == base) return i;
  }
  return 0;
}

bool replace(void* at, size_t size) {
  return mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

/// A page is gone: zeros in its place.
bool mend_bus(const siginfo_t* info) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  const uint32_t i = find(address);
  if (i == 0) return false;
  flags[i].fetch_or(kDamaged, std::memory_order_seq_cst);
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  if (replace(reinterpret_cast<void*>(address & ~(page - 1)), page)) return true;
  // No more mappings allowed: one for all of it takes fewer than there were.
  return replace(reinterpret_cast<void*>(guarded[i].base.load()), guarded[i].size.load());
}

/// A store to a read-only mapping: let it go to private copies of the pages, and tell.
bool mend_segv(const siginfo_t* info) {
  if (info->si_code != SEGV_ACCERR) return false;
  const uint32_t i = find(reinterpret_cast<uintptr_t>(info->si_addr));
  if (i == 0 || !guarded[i].read_only.load(std::memory_order_acquire)) return false;
  flags[i].fetch_or(kWritten, std::memory_order_seq_cst);
  return mprotect(reinterpret_cast<void*>(guarded[i].base.load()), guarded[i].size.load(),
                  PROT_READ | PROT_WRITE) == 0;
}

void pass_on(int signal, siginfo_t* info, void* context, const Earlier& next) {
  if (auto* handler = next.with_info.load(std::memory_order_acquire)) return handler(signal, info, context);
  auto* handler = next.plain.load(std::memory_order_acquire);
  if (handler != SIG_DFL && handler != SIG_IGN) return handler(signal);
  if (handler == SIG_IGN && info->si_code <= 0) return;
  struct sigaction standard;
  memset(&standard, 0, sizeof standard);
  standard.sa_handler = SIG_DFL;
  sigaction(signal, &standard, nullptr);
  if (info->si_code <= 0) raise(signal);  // it was sent; a fault happens again by itself
}

void on_bus(int signal, siginfo_t* info, void* context) {
  const int kept = errno;
  if (info->si_code <= 0 || !mend_bus(info)) pass_on(signal, info, context, earlier_bus);
  errno = kept;
}

void on_segv(int signal, siginfo_t* info, void* context) {
  const int kept = errno;
  if (!mend_segv(info)) pass_on(signal, info, context, earlier_segv);
  errno = kept;
}

/// Puts `ours` in front of whatever handler is installed now. Again before each mapping: somebody may have replaced it.
void install(int signal, void (*ours)(int, siginfo_t*, void*), Earlier* earlier) {
  struct sigaction now;
  if (sigaction(signal, nullptr, &now) != 0) return;
  const bool with_info = (now.sa_flags & SA_SIGINFO) != 0;
  if (with_info && now.sa_sigaction == ours) return;
  earlier->with_info.store(with_info ? now.sa_sigaction : nullptr, std::memory_order_release);
  earlier->plain.store(with_info ? nullptr : now.sa_handler, std::memory_order_release);
  now.sa_sigaction = ours;
  // On the thread's alternative stack if it has one. SA_RESETHAND would be the earlier handler's wish, not ours.
  now.sa_flags = (now.sa_flags & ~SA_RESETHAND) | SA_SIGINFO | SA_ONSTACK;
  sigaction(signal, &now, nullptr);
}

}  // namespace

Failure guard_add(void* base, size_t size, bool read_only, uint32_t* out) {
  const std::lock_guard guard(table);
  uint32_t i = 1;
  const uint32_t end = high.load(std::memory_order_relaxed);  // relaxed: written under this mutex only
  while (i < end && guarded[i].size.load(std::memory_order_relaxed) != 0) i++;
  if (i == kGuardMax) return {ENOMEM, "fault guard"};
  install(SIGBUS, on_bus, &earlier_bus);
  // Only then: programs that map nothing read-only keep V8's handler to themselves.
  if (read_only) install(SIGSEGV, on_segv, &earlier_segv);
  flags[i].store(0, std::memory_order_relaxed);
  guarded[i].read_only.store(read_only, std::memory_order_relaxed);
  guarded[i].base.store(reinterpret_cast<uintptr_t>(base), std::memory_order_release);
  guarded[i].size.store(size, std::memory_order_release);
  if (i == end) high.store(end + 1, std::memory_order_release);
  *out = i;
  return {};
}

void guard_remove(uint32_t i) {
  const std::lock_guard guard(table);
  guarded[i].size.store(0, std::memory_order_release);
}

Word* guard_flags() { return flags; }

void guard_restore(uint32_t i) {
  const Guarded& g = guarded[i];
  const size_t size = g.size.load(std::memory_order_acquire);
  if (size == 0 || !g.read_only.load(std::memory_order_acquire)) return;
  auto* base = reinterpret_cast<void*>(g.base.load(std::memory_order_acquire));
  flags[i].fetch_and(~kWritten, std::memory_order_seq_cst);
  mprotect(base, size, PROT_READ);
  // The mapping is private, so dropping its pages leaves those of the file.
  madvise(base, size, MADV_DONTNEED);
}

}  // namespace mp::platform
