// Start method fork for TypeScript: this very process, once more.
#include <node_api.h>

#include "node/child.h"
#include "node/dry.h"
#include "node/environment.h"
#include "node/loop_fork.h"
#include "node/texts.h"
#include "node/unwind.h"

namespace mp::node {

namespace {

using platform::Failure;

uv_loop_t* loop_of(napi_env env) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  return loop;
}

/// forkSelf([stdin, stdout, stderr], newSession, doorbell, endsWithUs): { id, pid }; in the child the id is 0 and the pid
/// its own. Takes over the doorbell in the parent; in the child it stays open.
napi_value fork_self(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  const std::vector<int> streams = to_fds(env, args[0]);
  const bool new_session = to_bool(env, args[1]);
  const int doorbell = to_int32(env, args[2]);
  Environment& e = environment(env);
  Children* children = children_of(args.data);
  uv_loop_t* loop = loop_of(env);
  platform::fork_prepare();
  platform::Spawned forked;
  e.waiters.before_fork();
  loop_before_fork(loop);
  const Failure failed = platform::process_fork(streams.data(), new_session, &forked);
  if (!failed && forked.pid == 0) {
    e.waiters.in_child();
    if (loop_in_child(loop) != 0) platform::process_exit_now(127);
    children->leave();
    forget_forkserver();
    become_forked();
    processes_begin_anew();
    // Who we stood for is the parent's.
    e.me = 0;
    return started(env, 0, platform::process_id());
  }
  loop_in_parent(loop);
  e.waiters.in_parent();
  if (failed) {
    platform::close_fd(doorbell);
    return throw_failure(env, failed);
  }
  Child* child = nullptr;
  if (Failure f = children->add(forked.handle, -1, doorbell, to_bool(env, args[3]), &child))
    return throw_failure(env, f);
  return started(env, child->id, forked.pid);
}

napi_value unblock(napi_env, napi_callback_info) {
  platform::fork_unblock();
  return nullptr;
}

napi_value can(napi_env env, napi_callback_info) { return boolean(env, can_unwind()); }

napi_value threads_rest_(napi_env env, napi_callback_info) { return boolean(env, platform::threads_rest()); }

napi_value drop(napi_env, napi_callback_info) {
  drop_microtasks();
  return nullptr;
}

/// What a child does first, on its own event loop.
struct Beginning {
  napi_env env;
  napi_ref function;
  napi_async_context context;
  uv_timer_t timer;
};

void on_begin(uv_timer_t* timer) {
  auto* b = static_cast<Beginning*>(timer->data);
  uv_close(reinterpret_cast<uv_handle_t*>(timer),
           [](uv_handle_t* handle) { delete static_cast<Beginning*>(handle->data); });
  unwound_at_loop();
  napi_handle_scope scope;
  napi_open_handle_scope(b->env, &scope);
  // What ended the JavaScript of a parent that was forked in its own beginning.
  napi_value function, global, left_over;
  napi_get_and_clear_last_exception(b->env, &left_over);
  napi_get_reference_value(b->env, b->function, &function);
  napi_get_global(b->env, &global);
  napi_make_callback(b->env, b->context, global, function, 0, nullptr, nullptr);
  napi_close_handle_scope(b->env, scope);
}

/// unwind(begin): the running JavaScript ends; then begin() is called from the event loop. It must not throw.
napi_value leave_stack(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  auto* b = new Beginning{env, nullptr, nullptr, {}};
  napi_create_reference(env, args[0], 1, &b->function);
  napi_async_init(env, nullptr, string(env, "multiproc.fork"), &b->context);
  uv_loop_t* loop = loop_of(env);
  uv_timer_init(loop, &b->timer);
  b->timer.data = b;
  // Before all other timers: Node's would be called while V8 still refuses to run anything.
  const uint64_t now = loop->time;
  loop->time = 0;
  uv_timer_start(&b->timer, on_begin, 0, 0);
  loop->time = now;
  unwind();
  return nullptr;
}

napi_value note_timers(napi_env env, napi_callback_info) {
  loop_note_timers(loop_of(env));
  return nullptr;
}

/// withSevered(call)
napi_value with_severed(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  napi_value global;
  napi_get_global(env, &global);
  loop_with_severed([&](bool stopped) {
    const napi_value argument = boolean(env, stopped);
    napi_call_function(env, global, args[0], 1, &argument, nullptr);
  });
  return nullptr;
}

napi_value ignore_signal(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  platform::signal_ignore(to_int32(env, args[0]));
  return nullptr;
}

/// exec(file, argv, envp): throws if it returns.
napi_value exec(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  const std::string file = to_text(env, args[0]);
  const TextList argv(env, args[1]), envp(env, args[2]);
  return throw_failure(env, platform::process_exec(file.c_str(), argv.pointers.data(), envp.pointers.data()));
}

}  // namespace

void init_fork(napi_env env, napi_value exports, Children* children) {
  add_function(env, exports, "forkSelf", fork_self, children);
  add_function(env, exports, "forkUnblock", unblock);
  add_function(env, exports, "canUnwind", can);
  add_function(env, exports, "threadsRest", threads_rest_);
  add_function(env, exports, "dropMicrotasks", drop);
  add_function(env, exports, "unwind", leave_stack);
  add_function(env, exports, "noteTimers", note_timers);
  add_function(env, exports, "withSevered", with_severed);
  add_function(env, exports, "ignoreSignal", ignore_signal);
  add_function(env, exports, "exec", exec);
}

}  // namespace mp::node
