#include "platform/win32/peers.h"

namespace mp::platform {
namespace {

struct Entry {
  uint32_t pid;
  uint32_t users;
  uint64_t started;
  HANDLE process;
};
constexpr uint32_t kEntries = 1024;

SRWLOCK lock = SRWLOCK_INIT;
Entry entries
    [kEntries];  // by pid, under the lock. A handle here keeps the pid from being given to another process

Peer opened(uint32_t pid, uint64_t started) {
  HANDLE process = OpenProcess(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
  // Only this says that there is none: one that must not be looked at, or not for want of memory, may live.
  if (process == nullptr) return {nullptr, GetLastError() == ERROR_INVALID_PARAMETER, -1};
  const uint64_t its = start_time_of(process);
  if (its != 0 && (started == 0 || its == started)) return {process, false, -1};
  CloseHandle(process);
  return {nullptr, true, -1};
}

/// One entry after the other, a look at each call: those that ended and are never asked for again give their handles back.
void tidy() {
  static uint32_t next = 0;
  Entry& e = entries[next++ % kEntries];
  if (e.process == nullptr || e.users > 0 || WaitForSingleObject(e.process, 0) != WAIT_OBJECT_0) return;
  CloseHandle(e.process);
  e = {};
}

}  // namespace

Peer peer_hold(uint32_t pid, uint64_t started) {
  const Guard guard(&lock);
  tidy();
  const int at = static_cast<int>(pid / 4 % kEntries);
  Entry& e = entries[at];
  if (e.process != nullptr && e.pid == pid && e.started == started && started != 0) {
    const bool ended = WaitForSingleObject(e.process, 0) == WAIT_OBJECT_0;
    if (!ended) {
      e.users++;
      return {e.process, false, at};
    }
    if (e.users == 0) {
      CloseHandle(e.process);
      e = {};
    }
    return {nullptr, true, -1};
  }
  const Peer peer = opened(pid, started);
  if (peer.process == nullptr || started == 0 || e.users > 0) return peer;
  if (e.process != nullptr) CloseHandle(e.process);
  e = {pid, 1, started, peer.process};
  return {peer.process, false, at};
}

void peer_drop(const Peer& peer) {
  if (peer.entry < 0) {
    if (peer.process != nullptr) CloseHandle(peer.process);
    return;
  }
  const Guard guard(&lock);
  entries[peer.entry].users--;
}

bool peer_ended(uint32_t pid, uint64_t started) {
  const Peer peer = peer_hold(pid, started);
  peer_drop(peer);
  return peer.ended;
}

}  // namespace mp::platform
