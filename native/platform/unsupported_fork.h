// Forking for a system that has none of it. Included once, by <system>/unsupported.cc.
#pragma once

#include <errno.h>

#include "platform/platform.h"

namespace mp::platform {

Failure channel_create(int*, int*) { return {ENOSYS, "multiproc"}; }
Failure fork_request(int, const SpawnRequest&, int64_t, const Word*, uint32_t, uint32_t*, ForkAnswer*) {
  return {ENOSYS, "multiproc"};
}
Failure fork_ready(int, uint32_t*, bool*) { return {ENOSYS, "multiproc"}; }
Failure fork_tell(int, const int*, int) { return {ENOSYS, "multiproc"}; }
Failure fork_census(int, uint32_t*, int64_t, uint32_t*, int, int*) { return {ENOSYS, "multiproc"}; }
uint64_t privileges() { return 0; }
Failure process_reap_forked(int, int, bool*, int32_t*) { return {ENOSYS, "multiproc"}; }
Failure fork_serve(int, const char*, bool, ForkTurn*) { return {ENOSYS, "multiproc"}; }
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
Failure process_fork(const int*, bool, Spawned*) { return {ENOSYS, "multiproc"}; }
void fork_unblock() {}
void signal_ignore(int) {}
bool threads_rest() { return true; }
Failure process_exec(const char*, char* const*, char* const*) { return {ENOSYS, "multiproc"}; }

}  // namespace mp::platform
