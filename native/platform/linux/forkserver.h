// What a forkserver has: its users, its children, and the signals that are not for it.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "platform/platform.h"

namespace mp::platform {

struct ServedChild {
  uint32_t requester;
  pid_t pid;
  int handle;
  int status;  // -1: nobody has asked for it
};

/// A process that was forked before anybody asked for it: it waits, with all that does not depend on who asks done.
struct Spare {
  pid_t pid = 0;  // 0: there is none
  int handle = -1;
  int channel = -1;
};

/// Which of many descriptors can be read, at a cost that does not grow with their number. Holds an epoll descriptor, which
/// a child of a fork must close: it shares what is watched with its parent.
class Watches {
 public:
  Failure add(int fd);
  /// Before it is closed: while a child of a fork has a copy, closing alone would leave it watched.
  void remove(int fd);
  /// Waits until some can be read, or were closed on the other side. None after the time-out (-1: never) or a signal.
  Failure wait(int timeout_ms, std::vector<int>* ready);
  int descriptor() const { return epoll_; }

 private:
  int epoll_ = -1;
};

struct Server {
  Watches watches;  // over channels, and the handles of children and of the spare
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
