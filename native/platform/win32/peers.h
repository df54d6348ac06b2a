// Other processes, as tokens name them: by pid and start time. A handle of each is kept as long as anybody looks at it.
#pragma once

#include "platform/win32/win32.h"

namespace mp::platform {

/// A handle to wait on for the end of that process.
struct Peer {
  HANDLE process = nullptr;  // null: it has ended, or must not be opened
  bool ended = false;
  int entry = -1;  // in the table of peers; -1: the handle is the caller's alone
};
/// `started` 0: whichever process has the pid now.
Peer peer_hold(uint32_t pid, uint64_t started);
void peer_drop(const Peer& peer);
bool peer_ended(uint32_t pid, uint64_t started);

}  // namespace mp::platform
