// Processes for TypeScript: starting them, their ends, letters (files that both sides read and write) and
// this process.
#include <node_api.h>

#include <mutex>
#include <string>
#include <vector>

#include "node/args.h"
#include "node/child.h"
#include "node/texts.h"

namespace mp::node {
namespace {

using platform::Failure;

// ---- What every environment of this process shares
// ---------------------------------------------------------------------

std::atomic<uint32_t> started_processes{0};
std::mutex identity_mutex;
std::string identity;  // how this process was started, as its entry told us; empty in a main process

int self_handle() {
  static std::atomic<int> cached{-1};
  static std::atomic<uint32_t> cached_for{0};
  if (cached_for.load() == platform::process_id() && cached.load() >= 0) return cached.load();
  static std::mutex mutex;
  std::lock_guard<std::mutex> guard(mutex);
  if (cached_for.load() != platform::process_id() || cached.load() < 0) {
    int handle = -1;
    if (platform::process_self_handle(&handle)) return -1;
    cached.store(handle);
    cached_for.store(platform::process_id());
  }
  return cached.load();
}

bool is_null(napi_env env, napi_value v) {
  napi_valuetype type;
  napi_typeof(env, v, &type);
  return type == napi_null || type == napi_undefined;
}

int64_t wake_time(double timeout_ms) {
  if (timeout_ms > 1e12) return INT64_MAX;
  return platform::monotonic_now() + static_cast<int64_t>(timeout_ms * 1e6);
}

// ---- Children
// ------------------------------------------------------------------------------------------------------------

napi_value child_dispatch(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  children_of(args.data)->set_dispatch(args[0]);
  return nullptr;
}

/// childSpawn(file, argv, envp, cwd, fds, newSession, doorbell, endsWithUs, hideWindow): { id, pid }. Takes over the
/// doorbell.
napi_value child_spawn(napi_env env, napi_callback_info info) {
  Args<9> args(env, info);
  const std::string file = to_text(env, args[0]);
  const TextList argv(env, args[1]), envp(env, args[2]);
  const bool has_cwd = !is_null(env, args[3]);
  const std::string cwd = has_cwd ? to_text(env, args[3]) : "";
  const std::vector<int> fds = to_fds(env, args[4]);
  const int doorbell = to_int32(env, args[6]);
  const platform::SpawnRequest request = {
      file.c_str(),
      argv.pointers.data(),
      envp.pointers.data(),
      has_cwd ? cwd.c_str() : nullptr,
      fds.data(),
      static_cast<int>(fds.size()),
      to_bool(env, args[5]),
      to_bool(env, args[7]) ? platform::OurEnd::kills : platform::OurEnd::nothing,
      to_bool(env, args[8]),
  };
  platform::Spawned spawned;
  if (Failure f = platform::process_spawn(request, &spawned)) {
    platform::close_fd(doorbell);
    return throw_failure(env, f);
  }
  Child* child = nullptr;
  if (Failure f = children_of(args.data)->add(spawned.handle, -1, doorbell, to_bool(env, args[7]), &child)) {
    return throw_failure(env, f);
  }
  return started(env, child->id, spawned.pid);
}

/// childrenEnded(): ids.
napi_value children_ended(napi_env env, napi_callback_info info) {
  Args<0> args(env, info);
  napi_value list;
  napi_create_array(env, &list);
  uint32_t at = 0;
  for (const uint32_t id : children_of(args.data)->ended())
    napi_set_element(env, list, at++, uint32(env, id));
  return list;
}

/// childReap(id): exit code, or null while it runs.
napi_value child_reap(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Child* child = children_of(args.data)->find(to_uint32(env, args[0]));
  if (child == nullptr || !child->owner->reap(child)) return null(env);
  return int32(env, child->exit_code);
}

/// A terminated worker thread is waited for, and nothing tells a blocked one of its end: it looks.
constexpr int64_t kLookForEndNs = 250'000'000;

/// 0 it still runs, 1 it has ended, 2 a signal came that the program listens for.
int32_t wait_for(napi_env env, int handle, double timeout_ms) {
  platform::interrupt_watch();
  platform::Word* word = platform::interrupt_word();
  const uint32_t before = word->load(std::memory_order_acquire);
  const int64_t deadline = wake_time(timeout_ms);
  for (;;) {
    const int64_t look_again = platform::monotonic_now() + kLookForEndNs;
    if (platform::process_wait(handle, look_again < deadline ? look_again : deadline, word, before)) return 1;
    if (word->load(std::memory_order_acquire) != before || environment_ending(env)) return 2;
    if (platform::monotonic_now() >= deadline) return 0;
  }
}

napi_value child_wait(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  Child* child = children_of(args.data)->find(to_uint32(env, args[0]));
  return int32(env, child == nullptr ? 1 : wait_for(env, child->handle, to_double(env, args[1])));
}

/// handleWait(handle, timeoutMs): for a process that is not a child of this environment.
napi_value handle_wait(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  return int32(env, wait_for(env, to_int32(env, args[0]), to_double(env, args[1])));
}

/// childSignal(id, signal): false if it has ended already.
napi_value child_signal(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  Child* child = children_of(args.data)->find(to_uint32(env, args[0]));
  if (child == nullptr || child->ended) return boolean(env, false);
  return boolean(env, !platform::process_signal(child->handle, to_int32(env, args[1])));
}

napi_value child_keep_alive(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  if (Child* child = children_of(args.data)->find(to_uint32(env, args[0]))) {
    child->owner->keep_alive(child, to_bool(env, args[1]));
  }
  return nullptr;
}

/// childHandle(id): the descriptor that becomes readable when the process ends.
napi_value child_handle(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Child* child = children_of(args.data)->find(to_uint32(env, args[0]));
  return int32(env, child == nullptr ? -1 : child->handle);
}

napi_value child_quiet(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  if (Child* child = children_of(args.data)->find(to_uint32(env, args[0]))) child->owner->quiet(child);
  return nullptr;
}

napi_value child_forget(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  if (Child* child = children_of(args.data)->find(to_uint32(env, args[0]))) {
    child->owner->forget(child, to_bool(env, args[1]));
  }
  return nullptr;
}

napi_value children_end(napi_env env, napi_callback_info info) {
  Args<0> args(env, info);
  children_of(args.data)->end_all();
  return nullptr;
}

// ---- This process
// ----------------------------------------------------------------------------------------------------------

napi_value process_number(napi_env env, napi_callback_info) { return uint32(env, ++started_processes); }

/// processIdentity(text?): sets, or gives, how this process was started; '' in a main process. Seen by worker
/// threads.
napi_value process_identity(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  std::lock_guard<std::mutex> guard(identity_mutex);
  if (args.count > 0) identity = to_text(env, args[0]);
  return string(env, identity.c_str());
}

napi_value process_self(napi_env env, napi_callback_info) {
  const int handle = self_handle();
  if (handle < 0) {
    int again = -1;
    if (Failure f = platform::process_self_handle(&again)) return throw_failure(env, f);
    platform::close_fd(again);
  }
  return int32(env, handle);
}

napi_value process_ending(napi_env env, napi_callback_info) {
  int bell = -1;
  if (Failure f = platform::process_ending(&bell)) return throw_failure(env, f);
  return int32(env, bell);
}

/// processFollow(parent, ending): see platform::follow_parent.
napi_value process_follow(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  if (Failure f = platform::follow_parent(to_int32(env, args[0]), to_int32(env, args[1])))
    return throw_failure(env, f);
  platform::leave_terminal_interrupts();
  return nullptr;
}

/// processListens(yes): see platform::listens_for_interrupts.
napi_value process_listens(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  platform::listens_for_interrupts(to_bool(env, args[0]));
  return nullptr;
}

/// processStart(pid): when it started, as text (the number is 64 bits wide); '0' if there is none.
napi_value process_start(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  return string(env, std::to_string(platform::process_start_time(to_uint32(env, args[0]))).c_str());
}

/// processChildren(pid): pids of the processes that it has started.
napi_value process_children(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  std::vector<uint32_t> children;
  platform::process_children(to_uint32(env, args[0]), &children);
  napi_value list;
  napi_create_array(env, &list);
  uint32_t at = 0;
  for (const uint32_t pid : children) napi_set_element(env, list, at++, uint32(env, pid));
  return list;
}

/// handleCount(): see platform::handle_count.
napi_value handle_count(napi_env env, napi_callback_info) { return uint32(env, platform::handle_count()); }

}  // namespace

napi_value started(napi_env env, uint32_t id, uint32_t pid) {
  napi_value result = object(env);
  set(env, result, "id", uint32(env, id));
  set(env, result, "pid", uint32(env, pid));
  return result;
}

/// A forked child has started none.
void processes_begin_anew() { started_processes.store(0); }

void init_files(napi_env env, napi_value exports);
void init_fork(napi_env env, napi_value exports, Children* children);
void init_fork_request(napi_env env, napi_value exports, Children* children);
void init_forkserver(napi_env env, napi_value exports);

void init_process(napi_env env, napi_value exports) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  auto* children = new Children(env, loop);
  napi_add_async_cleanup_hook(env, Children::on_environment_end, children, nullptr);

  add_function(env, exports, "childDispatch", child_dispatch, children);
  add_function(env, exports, "childSpawn", child_spawn, children);
  add_function(env, exports, "childrenEnded", children_ended, children);
  add_function(env, exports, "childReap", child_reap, children);
  add_function(env, exports, "childWait", child_wait, children);
  add_function(env, exports, "handleWait", handle_wait);
  add_function(env, exports, "childSignal", child_signal, children);
  add_function(env, exports, "childKeepAlive", child_keep_alive, children);
  add_function(env, exports, "childHandle", child_handle, children);
  add_function(env, exports, "childQuiet", child_quiet, children);
  add_function(env, exports, "childForget", child_forget, children);
  add_function(env, exports, "childrenEnd", children_end, children);
  add_function(env, exports, "processNumber", process_number);
  add_function(env, exports, "processIdentity", process_identity);
  add_function(env, exports, "processSelf", process_self);
  add_function(env, exports, "processEnding", process_ending);
  add_function(env, exports, "processFollow", process_follow);
  add_function(env, exports, "processListens", process_listens);
  add_function(env, exports, "processStart", process_start);
  add_function(env, exports, "processChildren", process_children);
  add_function(env, exports, "handleCount", handle_count);
  init_files(env, exports);
  init_fork(env, exports, children);
  init_fork_request(env, exports, children);
  init_forkserver(env, exports);
}

}  // namespace mp::node
