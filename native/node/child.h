// The children one JavaScript environment started, and the watches that tell its event loop about them.
#pragma once

#include <node_api.h>
#include <uv.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "node/watch.h"
#include "platform/platform.h"

namespace mp::node {

class Children;
Children* children_of(const void* data);

/// One child.
///
///   handle     ours until forget(); the exit watch polls it
///   status     -1, or where a forkserver tells its exit code; ours until forget()
///   doorbell   -1, or an eventfd of ours until quiet(); the bell watch polls it
struct Child {
  Children* owner;
  uint32_t id;
  int handle;
  int status = -1;
  int doorbell = -1;
  bool ends_with_us = true;  // false: detached
  bool ended = false;
  bool forgotten = false;
  uint32_t uses = 1;  // the table's, and one per watch that is not closed yet; the last one frees
  int32_t exit_code = 0;
  Watch exit_watch;
  Watch bell_watch;
};

/// Per environment. Events go to one JavaScript function: dispatch(id, kBell | kExit).
/// Lives until the environment's cleanup hook has seen the last watch closed.
class Children {
 public:
  enum Event : int32_t { kBell = 0, kExit = 1 };

  Children(napi_env env, uv_loop_t* loop) : env_(env), loop_(loop) {}
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  void set_dispatch(napi_value function);
  /// Takes over the descriptors, whether it succeeds or not. `status` is -1 for a child that is ours to collect.
  platform::Failure add(int handle, int status, int doorbell, bool ends_with_us, Child** out);
  Child* find(uint32_t id);
  /// Those whose end has come and may not have been heard of yet.
  std::vector<uint32_t> ended() const;
  /// Collects the child's end if it has come; sync and async callers both read it from the child afterwards.
  bool reap(Child* child);
  /// Whether the exit watch keeps the event loop alive.
  void keep_alive(Child* child, bool yes);
  /// No more bells: closes the bell watch and its descriptor.
  void quiet(Child* child);
  /// No more events; closes the handle unless somebody else took it over.
  void forget(Child* child, bool keep_handle);
  /// Ends every running child that is not detached: SIGTERM, SIGKILL for those left after 500 ms; collects
  /// them.
  void end_all();
  /// In a forked child: these are its parent's. Closes its copies of their descriptors.
  void leave();

  static void on_environment_end(napi_async_cleanup_hook_handle hook, void* data);

 private:
  void dispatch(uint32_t id, Event event);
  void open(Child* child, Watch* watch, int fd, Watch::Call readable, int* code);
  static void close(Watch* watch);
  void release(Child* child);
  void finish_if_done();
  static void on_exit(void* child);
  static void on_bell(void* child);

  napi_env env_;
  uv_loop_t* loop_;
  napi_ref dispatch_ = nullptr;
  napi_async_context context_ = nullptr;
  std::unordered_map<uint32_t, Child*> children_;
  uint32_t next_id_ = 1;
  uint32_t remaining_ = 0;  // children not freed yet
  napi_async_cleanup_hook_handle ending_ = nullptr;
};

/// What starting a process gives TypeScript: { id, pid }.
napi_value started(napi_env env, uint32_t id, uint32_t pid);

// In a forked child: what its parent had is its parent's.
void forget_forkserver();
void processes_begin_anew();

}  // namespace mp::node
