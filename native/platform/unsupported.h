// platform.h for a system that has no implementation yet: whatever can fail says ENOSYS, so that the addon loads and each
// feature answers with a clear error at its first use. Included once, by <system>/unsupported.cc, which has the rest.
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <chrono>
#include <thread>

#include "platform/platform.h"

namespace mp::platform {
namespace {
constexpr Failure kUnsupported{ENOSYS, "multiproc"};
}

const char* failure_name(int code) {
  return code == ENOSYS ? "ENOSYS" : code == ENOMEM ? "ENOMEM" : "EUNKNOWN";
}
const char* failure_text(int code) { return strerror(code); }

int64_t monotonic_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Nothing is ever shared here, so nobody is woken by another process: sleep is short, and the caller looks again.
void park(const Watch*, uint32_t, int64_t wake_at) {
  if (monotonic_now() < wake_at) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}
void unpark(Word*, uint32_t) {}
void yield() { std::this_thread::yield(); }
void pause() {}

Failure thread_start(const char*, void (*)(void*), void*, Thread*) { return kUnsupported; }
void thread_join(Thread) {}

void token_init(Token*) {}
TokenTake token_take(Token*, TokenForm) { return TokenTake::unsupported; }
void token_release(Token*, TokenForm) {}
Word* token_word(Token* token, TokenForm) { return reinterpret_cast<Word*>(token->opaque); }
bool token_dead(const Token*, uint32_t) { return true; }
bool token_is_polled() { return true; }
uint32_t token_layout() { return 0; }
void confirm_death(uint32_t, uint64_t) {}

Failure memory_create(const char*, size_t, int*) { return kUnsupported; }
Failure memory_file(const char*, int*) { return kUnsupported; }
Failure memory_map(int, size_t, void**) { return kUnsupported; }
Failure memory_map_part(int, size_t, size_t, void**) { return kUnsupported; }
Failure memory_map_over(int, size_t, void*, size_t) { return kUnsupported; }
void memory_unmap(void*, size_t) {}
Failure memory_size(int, size_t*) { return kUnsupported; }
bool memory_fits(size_t) { return false; }
Failure memory_reserve(int, size_t, size_t) { return kUnsupported; }
Failure memory_discard(int, size_t, size_t) { return kUnsupported; }
void memory_populate(void*, size_t) {}
Failure memory_open_of(uint32_t, int, const char*, int*) { return kUnsupported; }

bool named_exists(Place) { return false; }
Failure named_prepare(Place, uint32_t, Unnamed*) { return kUnsupported; }
Failure named_resize(int, size_t, bool) { return kUnsupported; }
Failure named_reserve(int, size_t, size_t) { return kUnsupported; }
Failure named_publish(Unnamed*, Place) { return kUnsupported; }
Failure named_replace(Unnamed*, Place) { return kUnsupported; }
void named_discard(Unnamed*) {}
Failure named_open(Place, bool, int*) { return kUnsupported; }
Failure named_facts(int, FileFacts*) { return kUnsupported; }
Failure named_unlink(Place, const FileFacts*) { return kUnsupported; }
Failure named_list(void (*)(void*, const char*), void*) { return kUnsupported; }
void named_sweep(Place) {}
Failure named_lock(int) { return kUnsupported; }
Failure named_map(int, size_t, bool, void**, uint32_t*) { return kUnsupported; }
void named_unmap(void*, size_t, uint32_t) {}
Failure named_sync(void*, size_t) { return kUnsupported; }
Word* guard_flags() {
  static Word none[kGuardMax];
  return none;
}
void guard_restore(uint32_t) {}

uint64_t process_start_time(uint32_t) { return 0; }
uint64_t pid_namespace() { return 0; }
Failure process_spawn(const SpawnRequest&, Spawned*) { return kUnsupported; }
Failure process_signal(int, int) { return kUnsupported; }
Failure process_reap(int, bool*, int32_t*) { return kUnsupported; }
void processes_ended(const int*, int, bool*) {}
bool process_wait(int, int64_t, const Word*, uint32_t) { return true; }
Failure process_self_handle(int*) { return kUnsupported; }
Failure process_ending(int*) { return kUnsupported; }
Failure follow_parent(int, int) { return kUnsupported; }

Failure channel_create(int*, int*) { return kUnsupported; }
Failure fork_request(int, const SpawnRequest&, int64_t, const Word*, uint32_t, uint32_t*, ForkAnswer*) {
  return kUnsupported;
}
Failure fork_ready(int, uint32_t*, bool*) { return kUnsupported; }
Failure fork_tell(int, const int*, int) { return kUnsupported; }
Failure fork_census(int, uint32_t*, int64_t, uint32_t*, int, int*) { return kUnsupported; }
uint64_t privileges() { return 0; }
Failure process_reap_forked(int, int, bool*, int32_t*) { return kUnsupported; }
Failure fork_serve(int, const char*, bool, ForkTurn*) { return kUnsupported; }
void fork_shield() {}
void fork_watch_users(bool) {}
void fork_descriptors(std::vector<int>*) {}
int current_umask() { return -1; }
void fork_take(int, ForkTurn*) {}
bool fork_confirmed(int) { return false; }
void fork_prepare() {}
void malloc_fill_holes() {}
int thread_names(char* names, size_t) {
  *names = 0;
  return 0;
}
Failure process_fork(const int*, bool, Spawned*) { return kUnsupported; }
void fork_unblock() {}
void signal_ignore(int) {}
bool threads_rest() { return true; }
Failure process_exec(const char*, char* const*, char* const*) { return kUnsupported; }
Failure random_bytes(void*, size_t) { return kUnsupported; }
[[noreturn]] void process_exit_now(int32_t code) { exit(code); }

Failure socket_listen(SocketPlace, int, int*, FileFacts*) { return kUnsupported; }
bool socket_abandoned(SocketPlace) { return false; }
Failure socket_accept(int, int*) { return kUnsupported; }
Failure socket_connect(SocketPlace, int*) { return kUnsupported; }
Failure socket_connected(int, bool*) { return kUnsupported; }
Failure socket_name(int, SocketName*) { return kUnsupported; }
Failure socket_peer_name(int, SocketName*) { return kUnsupported; }
Failure socket_receive(int, void*, size_t, int64_t*) { return kUnsupported; }
Failure socket_send(int, const void*, size_t, int64_t*) { return kUnsupported; }
void socket_end(int) {}
SocketWait socket_wait(int, bool, int64_t, const Word*, uint32_t) { return SocketWait::timed_out; }

Failure doorbell_create(int*) { return kUnsupported; }
void doorbell_ring(int) {}
void doorbell_clear(int) {}
Failure pipe_create(int*, int*) { return kUnsupported; }
Failure file_read_at(int, void*, size_t, size_t) { return kUnsupported; }
Failure file_write_at(int, const void*, size_t, size_t) { return kUnsupported; }
Failure file_resize(int, size_t) { return kUnsupported; }
void close_fd(int) {}
void directory_remove(const char*) {}
Failure close_on_exec(int) { return kUnsupported; }
void own_pipe(int) {}
void await_space(int) {}
Failure move_fd(int, int) { return kUnsupported; }

void* symbol(const char*) { return nullptr; }

Word* interrupt_word() {
  static Word never{0};
  return &never;
}
void interrupt_watch() {}
void leave_terminal_interrupts() {}

}  // namespace mp::platform
