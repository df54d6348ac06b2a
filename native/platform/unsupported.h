// platform.h for a system that has no implementation yet: whatever can fail says ENOSYS, so that the addon loads and each
// feature answers with a clear error at its first use. Included once, by <system>/unsupported.cc, which has the rest.
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <chrono>
#include <thread>

#include "platform/platform.h"
#include "platform/unsupported_fork.h"
#include "platform/unsupported_named.h"
#include "platform/unsupported_sockets.h"

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
void process_children(uint32_t, std::vector<uint32_t>*) {}

uint32_t handle_count() { return 0; }
Failure random_bytes(void*, size_t) { return kUnsupported; }
[[noreturn]] void process_exit_now(int32_t code) { exit(code); }

Failure doorbell_create(int*) { return kUnsupported; }
void doorbell_ring(int) {}
void doorbell_clear(int) {}
Failure pipe_create(int*, int*) { return kUnsupported; }
Failure pipe_offer(bool, int*, char (&)[kPipeNameMax]) { return kUnsupported; }
int descriptor_of(intptr_t handle) { return static_cast<int>(handle); }
int descriptor_in_others(int fd) { return fd; }
Failure listen_start(int, bool, void (*)(void*), void*, void**) { return kUnsupported; }
void listen_stop(void*) {}
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
void stay_loaded() {}

Word* interrupt_word() {
  static Word never{0};
  return &never;
}
void interrupt_watch() {}
void leave_terminal_interrupts() {}
void listens_for_interrupts(bool) {}

}  // namespace mp::platform
