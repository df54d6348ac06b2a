// The list belongs to libc, which registers it with the kernel, one per thread, and puts its robust mutexes at the front:
//
//   head ⇄ mutex ⇄ … ⇄ entry of ours ⇄ … ⇄ head        `next` points at the next one's `next`; bit 0 is a flag of it
//   glibc: `previous` points at the other's `previous`    musl: at its `next`
//
// The kernel follows `next` from the head when the thread dies, marks each word that names the thread, and stops at the
// first it cannot read: an entry whose word has been cut off hides those behind it. Ours are behind libc's.
// Only the thread itself changes its list. The order of the stores matters to the kernel only, on the same processor.
#include "platform/linux/robust_list.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace mp::platform {
namespace {

constexpr uintptr_t kFlag = 1;

struct List {
  robust_list_head* head = nullptr;  // null: not as we know it
  uintptr_t back = 0;                // from a `next` to what a `previous` of it points at
};

void** next_of(void* link) { return reinterpret_cast<void**>(reinterpret_cast<uintptr_t>(link) & ~kFlag); }
void** previous_of(void** next) { return next - 1; }

robust_list_head* own_head() {
  robust_list_head* head = nullptr;
  size_t length = 0;
  return syscall(SYS_get_robust_list, 0, &head, &length) == 0 ? head : nullptr;
}

constexpr uintptr_t kUnknown = ~uintptr_t{0};

/// Looks how a mutex of libc's own stands in the list: what List::back is, or kUnknown. Never while an operation of ours
/// is pending: libc's would take its place.
uintptr_t probe_back() {
  alignas(64) unsigned char probe[sizeof(pthread_mutex_t)] = {};
  auto* mutex = reinterpret_cast<pthread_mutex_t*>(probe);
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(mutex, &a);
  pthread_mutex_lock(mutex);
  uintptr_t found = kUnknown;
  robust_list_head* head = sizeof(void*) == 8 ? own_head() : nullptr;
  if (head != nullptr) {
    auto** first = reinterpret_cast<void**>(probe + kEntryBehindMutex);
    const uintptr_t back =
        reinterpret_cast<uintptr_t>(head) - reinterpret_cast<uintptr_t>(*previous_of(first));
    if (next_of(head->list.next) == first && (back == 0 || back == sizeof(void*))) found = back;
  }
  pthread_mutex_unlock(mutex);
  return found;
}

/// The calling thread's. Asked anew each time, not kept per thread: thread-local variables of a loaded library need the
/// dynamic linker by name, which differs between libcs; and a forked child's list is another one.
List list() {
  static const uintptr_t back = probe_back();
  if (back == kUnknown) return {};
  return {own_head(), back};
}

void in_order() { std::atomic_signal_fence(std::memory_order_seq_cst); }

/// The place of the link that leads to `target`, or the last one. A link to nothing ends the list as the head does: its
/// memory was lost.
void** link_to(void** target) {
  auto** const head = reinterpret_cast<void**>(list().head);
  void** at = head;
  while (next_of(*at) != target && *at != nullptr && next_of(*at) != head) at = next_of(*at);
  return at;
}

/// Makes `next` know what is in front of it now.
void set_previous(void** next, void** in_front) {
  // musl's head has no such field
  if (next == reinterpret_cast<void**>(list().head) && list().back == 0) return;
  *previous_of(next) = reinterpret_cast<unsigned char*>(in_front) - list().back;
}

}  // namespace

bool robust_list_is_known() {
  // A forked child has none until libc registers it anew: musl does so with the first mutex.
  return list().head != nullptr || (probe_back() != kUnknown && list().head != nullptr);
}

void robust_pending(RobustEntry* entry) {
  list().head->list_op_pending = reinterpret_cast<robust_list*>(&entry->next);
  in_order();
}

void robust_done() {
  in_order();
  list().head->list_op_pending = nullptr;
}

bool robust_has(const RobustEntry* entry) {
  auto** target = const_cast<void**>(&entry->next);
  return next_of(*link_to(target)) == target;
}

void robust_enlist(RobustEntry* entry) {
  auto** head = reinterpret_cast<void**>(list().head);
  void** last = link_to(head);
  entry->next = head;
  entry->previous = reinterpret_cast<unsigned char*>(last) - list().back;
  in_order();
  *last = &entry->next;
  set_previous(head, &entry->next);
}

void robust_unlist(RobustEntry* entry) {
  if (!robust_has(entry)) return;
  void** link = link_to(&entry->next);
  auto** head = reinterpret_cast<void**>(list().head);
  *link = entry->next == nullptr ? head : entry->next;  // with the flag of that one
  set_previous(next_of(*link), link);
  in_order();
}

}  // namespace mp::platform
