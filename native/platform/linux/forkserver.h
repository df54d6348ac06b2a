// What a forkserver has: its users, its children, and the signals that are not for it.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace mp::platform {

struct ServedChild {
  uint32_t requester;
  pid_t pid;
  int handle;
  int status;
  int channel;   // that it was asked for on; -1: none, or closed by now
  bool follows;  // it ends with its requester
};

/// A process that was forked before anybody asked for it: it waits, with all that does not depend on who asks done.
struct Spare {
  pid_t pid = 0;  // 0: there is none
  int handle = -1;
  int channel = -1;
};

struct Server {
  std::vector<int> channels;
  std::vector<ServedChild> children;
  Spare spare;
  bool wants_spare = true;
  int told_by = -1;  // a channel that waits to hear that the server is ready
};

/// Of this process; a child empties it.
Server& server();

/// While it lives the signals are the server's.
class ServerSignals {
 public:
  ServerSignals();
  ~ServerSignals();
  /// In a child: those the program has chosen, or else Node's.
  void give_back_in_child();
  ServerSignals(const ServerSignals&) = delete;
  ServerSignals& operator=(const ServerSignals&) = delete;

 private:
  static constexpr int kCount = 6;
  struct sigaction before_[kCount];
  bool given_back_ = false;
};

}  // namespace mp::platform
