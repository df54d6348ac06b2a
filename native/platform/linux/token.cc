// Tokens: robust process-shared mutexes, each taken once by the thread it stands for and held until that thread ends.
//
// The kernel marks the mutex's word (FUTEX_OWNER_DIED) in the dying thread's own exit, after its last instruction of
// user code and its last system call. FUTEX_WAITERS stays set while it is held, so the kernel always wakes a watcher and
// watchers never write to the word.
//
// A token that stands apart is not a mutex of libc's, but a word of the same kind with an entry of our own in the same
// list: nothing that is read of the shared memory is more than a number.
#include "platform/platform.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/linux/robust_list.h"

namespace mp::platform {
namespace {

static_assert(sizeof(pthread_mutex_t) <= sizeof(Token));

/// What stands in a token where the kernel has no robust lists (user-mode emulators, some seccomp filters): who took it.
struct Polled {
  Word taker;  // thread id; 0: nobody
  uint32_t pid;
  uint64_t start_time;
};

pthread_mutex_t* mutex_of(Token* t) { return reinterpret_cast<pthread_mutex_t*>(t->opaque); }
Polled* polled_of(Token* t) { return reinterpret_cast<Polled*>(t->opaque); }

pthread_mutexattr_t robust_attributes() {
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
  return a;
}

/// Where this libc keeps the kernel's word in its mutex: found by locking one. glibc 0, musl 4.
uint32_t find_word_offset() {
  Token probe{};
  pthread_mutexattr_t a = robust_attributes();
  pthread_mutex_init(mutex_of(&probe), &a);
  pthread_mutex_lock(mutex_of(&probe));
  uint32_t offset = UINT32_MAX, word;
  for (uint32_t at = 0; at + 4 <= sizeof(pthread_mutex_t); at += 4) {
    memcpy(&word, probe.opaque + at, 4);
    if ((word & FUTEX_TID_MASK) == thread_id()) {
      offset = at;
      break;
    }
  }
  pthread_mutex_unlock(mutex_of(&probe));
  return offset;
}

constexpr useconds_t kBlindGraceMicros = 10'000;
constexpr int64_t kConfirmSpinNs = 500'000, kConfirmMaxNs = 1'000'000'000;

bool kernel_has_robust_lists() {
  void* head;
  size_t length;
  return syscall(SYS_get_robust_list, 0, &head, &length) == 0;
}

struct Kind {
  bool polled = !kernel_has_robust_lists();
  uint32_t word_offset = polled ? 0 : find_word_offset();
};
const Kind& kind() {
  static const Kind k;
  return k;
}

/// A thread of another process that has been killed but is not yet past its last user code and system call: the
/// processor it runs on or waits for; -1 if it is no such thread. SIGKILL, exit_group and exec mark every other thread of
/// the process with a pending SIGKILL at once, before any of them ends; a thread that goes on with a long system call has
/// it pending all the while, and PF_EXITING comes after.
int processor_of_killed(const char* stat_path) {
  const int fd = open(stat_path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  char text[1024];
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return -1;
  text[n] = 0;
  constexpr unsigned long kPfExiting = 4, kSigkill = 1 << 8;
  constexpr int kFlags = 9, kPending = 31, kProcessor = 39;  // fields, see proc(5)
  const char* at = strrchr(text, ')');                       // the name may hold anything
  for (int field = 3; at != nullptr && (at = strchr(at + 1, ' ')) != nullptr; field++) {
    if (field == kFlags && (strtoul(at + 1, nullptr, 10) & kPfExiting) != 0) return -1;
    if (field == kPending && (strtoul(at + 1, nullptr, 10) & kSigkill) == 0) return -1;
    if (field == kProcessor) return atoi(at + 1);
  }
  return -1;
}

/// Keeps the calling thread off the processors that dying threads wait for. The last thread of a process takes all its
/// memory apart, and a kernel that does not preempt itself lets nobody else run there for milliseconds.
class Elsewhere {
 public:
  ~Elsewhere() {
    if (moved_) sched_setaffinity(0, sizeof before_, &before_);
  }
  void leave(int processor) {
    if (processor != sched_getcpu() || processor >= CPU_SETSIZE) return;
    if (!moved_ && sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    cpu_set_t others = before_;
    CPU_CLR(processor, &others);
    if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof others, &others) == 0) moved_ = true;
  }

 private:
  cpu_set_t before_;
  bool moved_ = false;
};

/// Waits for each such thread in turn: a process that is being killed makes no new ones.
void wait_for_killed_threads(uint32_t pid) {
  char path[352];
  snprintf(path, sizeof path, "/proc/%u/task", pid);
  DIR* tasks = opendir(path);
  if (tasks == nullptr) {
    // It is gone altogether; or nothing can be seen here (no /proc): then a grace must do.
    if (errno != ENOENT || access("/proc/self/task", X_OK) != 0) usleep(kBlindGraceMicros);
    return;
  }
  const int64_t began = monotonic_now();
  Elsewhere elsewhere;
  while (const dirent* task = readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/%u/task/%s/stat", pid, task->d_name);
    int processor;
    while ((processor = processor_of_killed(path)) >= 0) {
      elsewhere.leave(processor);
      const int64_t waited = monotonic_now() - began;
      if (waited > kConfirmMaxNs) break;
      if (waited > kConfirmSpinNs) usleep(20);
    }
  }
  closedir(tasks);
}

/// In a token that stands apart: so far from the end that the entry begins right behind it.
constexpr size_t kApartWord = sizeof(Token) + offsetof(RobustEntry, next) - kEntryBehindMutex;
RobustEntry* entry_of(Token* t) { return reinterpret_cast<RobustEntry*>(t + 1); }
static_assert(kApartWord + 8 <= sizeof(Token));

/// No thread has the word: what a free or marked one says.
bool is_nobodys(uint32_t value) { return (value & FUTEX_OWNER_DIED) != 0 || (value & FUTEX_TID_MASK) == 0; }

TokenTake take_apart(Token* t) {
  Word* word = token_word(t, TokenForm::apart);
  uint32_t value = word->load();
  if (!is_nobodys(value)) return TokenTake::busy;
  if (!robust_list_is_known()) return TokenTake::unsupported;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  RobustEntry* entry = entry_of(t);
  if (robust_has(entry)) return TokenTake::busy;  // ours, whatever somebody wrote there
  if (page > kApartUnit ||
      mmap(entry, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
    return TokenTake::unsupported;
  robust_pending(entry);
  const bool taken = word->compare_exchange_strong(value, thread_id() | FUTEX_WAITERS);
  if (taken) robust_enlist(entry);
  robust_done();
  if (!taken) return TokenTake::busy;
  return value & FUTEX_OWNER_DIED ? TokenTake::from_dead : TokenTake::fresh;
}

void release_apart(Token* t) {
  Word* word = token_word(t, TokenForm::apart);
  robust_pending(entry_of(t));
  robust_unlist(entry_of(t));
  // Unless somebody has overwritten it.
  uint32_t value = word->load();
  if ((value & FUTEX_TID_MASK) == thread_id()) word->compare_exchange_strong(value, 0);
  robust_done();
}

}  // namespace

void token_init(Token* t) {
  if (kind().polled) {
    memset(t->opaque, 0, sizeof t->opaque);
    return;
  }
  pthread_mutexattr_t a = robust_attributes();
  pthread_mutex_init(mutex_of(t), &a);
}

Word* token_word(Token* t, TokenForm form) {
  const size_t apart = form == TokenForm::apart && !kind().polled ? kApartWord : 0;
  return reinterpret_cast<Word*>(t->opaque + apart + kind().word_offset);
}

TokenTake token_take(Token* t, TokenForm form) {
  if (kind().word_offset == UINT32_MAX) return TokenTake::unsupported;
  if (kind().polled) {
    Polled* p = polled_of(t);
    uint32_t taker = p->taker.load();
    const bool dead = taker != 0;
    if (dead && !token_dead(t, taker)) return TokenTake::busy;
    if (!p->taker.compare_exchange_strong(taker, thread_id())) return TokenTake::busy;
    p->pid = process_id();
    p->start_time = process_start_time(p->pid);
    return dead ? TokenTake::from_dead : TokenTake::fresh;
  }
  if (form == TokenForm::apart) return take_apart(t);
  const int r = pthread_mutex_trylock(mutex_of(t));
  if (r != 0 && r != EOWNERDEAD) return TokenTake::busy;
  if (r == EOWNERDEAD) pthread_mutex_consistent(mutex_of(t));
  token_word(t, form)->fetch_or(FUTEX_WAITERS);
  return r == EOWNERDEAD ? TokenTake::from_dead : TokenTake::fresh;
}

void token_release(Token* t, TokenForm form) {
  if (kind().polled)
    polled_of(t)->taker.store(0);
  else if (form == TokenForm::apart)
    release_apart(t);
  else
    pthread_mutex_unlock(mutex_of(t));
  unpark(token_word(t, form), kAll);
}

bool token_dead(const Token* t, uint32_t value) {
  if (kind().polled) {
    const Polled* p = reinterpret_cast<const Polled*>(t->opaque);
    return value == 0 || (p->start_time != 0 && process_start_time(p->pid) != p->start_time);
  }
  return is_nobodys(value);
}

bool token_is_polled() { return kind().polled; }

uint32_t token_layout() {
  return kind().word_offset << 16 | static_cast<uint32_t>(sizeof(pthread_mutex_t)) |
         (kind().polled ? 1u << 31 : 0);
}

void confirm_death(uint32_t pid, uint64_t space) {
  if (space != 0 && space != pid_namespace()) {
    usleep(kBlindGraceMicros);
    return;
  }
  // The dying thread itself has ended: its token says so. What may still run are other threads of its process, in user
  // code for the time of an interrupt, or inside a system call that writes to shared memory: a read(2) of the thread
  // pool goes on for milliseconds after the kill. It need not be the main thread that died first: a worker's token may
  // be marked while the main thread is still in the middle of such a call. A process that lives on, after exec or a
  // worker thread's end, has no such thread.
  if (pid != 0) wait_for_killed_threads(pid);
}

}  // namespace mp::platform
