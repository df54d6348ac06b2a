// What a forkserver and its children are made of, for TypeScript.
#include <node_api.h>
#include <uv.h>

#include "node/args.h"
#include "node/dry.h"
#include "node/environment.h"
#include "node/texts.h"

namespace mp::node {
namespace {

using platform::Failure;
using platform::ForkTurn;

/// [kind, go, channel, pid, requester, ...fds]: an object's shape would be made anew in each child.
napi_value value_of(napi_env env, const ForkTurn& turn) {
  const int32_t numbers[] = {static_cast<int32_t>(turn.kind), turn.go, turn.channel,
                             static_cast<int32_t>(platform::process_id()),
                             static_cast<int32_t>(turn.requester)};
  napi_value list;
  napi_create_array(env, &list);
  uint32_t at = 0;
  for (const int32_t number : numbers) napi_set_element(env, list, at++, int32(env, number));
  for (int i = 0; i < turn.fd_count; ++i) napi_set_element(env, list, at++, int32(env, turn.fds[i]));
  return list;
}

/// forkServe(channel, refusal, wait): see platform::fork_serve. In a child the event loop is its own when it returns.
napi_value serve(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  napi_valuetype type;
  napi_typeof(env, args[1], &type);
  const std::string refusal = type == napi_string ? to_text(env, args[1]) : "";
  const bool wait = to_bool(env, args[2]);
  if (wait) platform::fork_prepare();
  ForkTurn turn;
  if (Failure f = platform::fork_serve(to_int32(env, args[0]),
                                       type == napi_string ? refusal.c_str() : nullptr, wait, &turn))
    return throw_failure(env, f);
  if (turn.kind == ForkTurn::child || turn.kind == ForkTurn::spare) {
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    if (const int code = uv_loop_fork(loop)) return throw_failure(env, {-code, "uv_loop_fork"});
    become_forked();
    // The thread it stood for is the server's.
    environment(env).me = 0;
  }
  return value_of(env, turn);
}

/// forkTake(channel): a spare's turn as a child's.
napi_value take(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  ForkTurn turn;
  platform::fork_take(to_int32(env, args[0]), &turn);
  return value_of(env, turn);
}

napi_value confirmed(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  return boolean(env, platform::fork_confirmed(to_int32(env, args[0])));
}

/// forkserverFds(): those the server has as such.
napi_value fds_of_server(napi_env env, napi_callback_info) {
  std::vector<int> fds;
  platform::fork_descriptors(&fds);
  napi_value list;
  napi_create_array(env, &list);
  uint32_t at = 0;
  for (const int fd : fds) napi_set_element(env, list, at++, int32(env, fd));
  return list;
}

napi_value shield(napi_env, napi_callback_info) {
  platform::fork_shield();
  return nullptr;
}

/// forkserverWatch(yes)
napi_value watch_users(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  platform::fork_watch_users(to_bool(env, args[0]));
  return nullptr;
}

napi_value fill_holes(napi_env, napi_callback_info) {
  platform::malloc_fill_holes();
  return nullptr;
}

/// threadNames(): of all threads of this process.
napi_value names_of_threads(napi_env env, napi_callback_info) {
  char names[4096];
  platform::thread_names(names, sizeof names);
  return string(env, names);
}

/// randomBytes(view): fills a typed array or an array buffer.
napi_value fill_random(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  void* bytes = nullptr;
  size_t size = 0;
  bool is_buffer = false;
  napi_is_arraybuffer(env, args[0], &is_buffer);
  if (is_buffer)
    napi_get_arraybuffer_info(env, args[0], &bytes, &size);
  else
    napi_get_buffer_info(env, args[0], &bytes, &size);
  if (Failure f = platform::random_bytes(bytes, size)) return throw_failure(env, f);
  return nullptr;
}

/// exitNow(code): the participant leaves as it would at any orderly end; nothing else is taken apart.
napi_value exit_now(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Environment& e = environment(env);
  e.waiters.stop();
  if (e.me != 0) participant_leave(process_arena(), e.me);
  platform::process_exit_now(to_int32(env, args[0]));
}

napi_value on_dry(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  watch_dry(env, args[0]);
  return nullptr;
}

}  // namespace

void init_forkserver(napi_env env, napi_value exports) {
  add_function(env, exports, "forkServe", serve);
  add_function(env, exports, "forkTake", take);
  add_function(env, exports, "forkConfirmed", confirmed);
  add_function(env, exports, "forkserverFds", fds_of_server);
  add_function(env, exports, "forkserverShield", shield);
  add_function(env, exports, "forkserverWatch", watch_users);
  add_function(env, exports, "fillHoles", fill_holes);
  add_function(env, exports, "threadNames", names_of_threads);
  add_function(env, exports, "randomBytes", fill_random);
  add_function(env, exports, "exitNow", exit_now);
  add_function(env, exports, "onDry", on_dry);
  watch_dry_in_worker(env);
}

}  // namespace mp::node
