// Asynchronous waiting: native threads that sleep for promises.
//
// One waiter thread sleeps on the words of up to kWaitsPerThread waits at once; threads are made on demand and retire when
// idle. What they wait for is a lock, which the thread takes on behalf of its environment, or a bell (bell.h), which needs
// nobody to take anything. They report through one threadsafe function, which keeps the loop alive while something waits.
//
//   state of a wait   who changes it, under the thread's mutex
//   waiting           → acquired | abandoned | timed_out  (waiter thread)     → gone (cancel, by JavaScript)
//   acquired/abandoned → passed_on (waiter thread: the loop was busy for kTakeWithinNs and others wait for the lock)
//                      → waiting (the same for a seat of a monitor: it stands in line again)
//                      → gone (JavaScript took it)
//   timed_out, passed_on → gone (JavaScript was told)
//
// Death  of the process: the participant's token dies, and with it whatever its waits had taken.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <mutex>
#include <variant>
#include <vector>

#include "core/bell.h"
#include "core/lock.h"
#include "core/monitor.h"

namespace mp::node {

inline constexpr uint32_t kWaitsPerThread =
    42;  // 3 words each at most, and one to wake the thread itself: <= kWatchMax
inline constexpr int64_t kTakeWithinNs = 10'000'000;
inline constexpr int64_t kRetireAfterNs = 1'000'000'000;

enum class WaitState : uint32_t { acquired, abandoned, timed_out, waiting, passed_on };

/// A wait for a bell; `seat` if it is that of a monitor's seat.
struct BellTask {
  BellWait wait;
  uint32_t kind;
  Seat* seat;
  bool parked = false;
};

struct Wait {
  uint32_t id;
  std::variant<Contender, BellTask> what;
  int64_t deadline;
  bool holds_loop;  // keeps the event loop alive
  WaitState state = WaitState::waiting;
  int64_t granted_at = 0;
  bool announced = false;
};

class WaiterThread;

/// All asynchronous waits of one environment. Its methods are called on the environment's own thread.
class Waiters {
 public:
  /// `on_done(id, outcome)` is called on the loop for each wait that ends by itself.
  platform::Failure start(napi_env env, napi_value on_done);
  /// What is waited for must stay mapped until the wait has ended or was cancelled.
  platform::Failure add(const std::variant<Contender, BellTask>& what, int64_t deadline, uint32_t* id,
                        bool holds_loop = true);
  /// Ends a wait now. acquired/abandoned: too late, the lock is ours; timed_out: it is not.
  Outcome cancel(uint32_t id);
  /// Ends all waits and threads; what they had taken and nobody has been told of is released.
  void stop();
  /// Around a fork: no thread of theirs is in the middle of anything meanwhile. The child has no threads, and no waits.
  void before_fork();
  void in_parent();
  void in_child();

 private:
  friend class WaiterThread;
  static void deliver(napi_env env, napi_value on_done, void* context, void* data);
  void forget(bool held_loop);

  napi_env env_ = nullptr;
  napi_threadsafe_function done_ = nullptr;
  std::vector<WaiterThread*> threads_;
  uint32_t waits_ = 0;  // that hold the loop
  uint32_t next_id_ = 1;
};

}  // namespace mp::node
