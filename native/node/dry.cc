#include "node/dry.h"

#include <uv.h>

#include <atomic>
#include <initializer_list>

#include "node/args.h"

namespace mp::node {
namespace {

constexpr int kLastTurns = 3;
constexpr uint64_t kForEverMs = uint64_t{1} << 40;

std::atomic<bool> forked{false};

struct DryWatch {
  napi_env env;
  napi_ref dry;
  uv_timer_t keeper;     // keeps the loop
  uv_prepare_t prepare;  // asks, before each poll
  uv_idle_t turn;        // makes the next poll return at once
  int turns = 0;
  int open = 3;
  napi_async_cleanup_hook_handle ending = nullptr;
};

void keep(uv_timer_t*) {}

uv_handle_t* base(void* handle) { return static_cast<uv_handle_t*>(handle); }

bool others_alive(DryWatch* w) {
  uv_unref(base(&w->keeper));
  const bool alive = uv_loop_alive(w->keeper.loop) != 0;
  uv_ref(base(&w->keeper));
  return alive;
}

/// False if JavaScript cannot run here any more.
bool tell(DryWatch* w, bool last) {
  napi_value function, global, argument = boolean(w->env, last);
  if (napi_get_reference_value(w->env, w->dry, &function) != napi_ok) return false;
  napi_get_global(w->env, &global);
  const napi_status status = napi_make_callback(w->env, nullptr, global, function, 1, &argument, nullptr);
  if (status == napi_pending_exception) {
    napi_value error;
    if (napi_get_and_clear_last_exception(w->env, &error) == napi_ok) napi_fatal_exception(w->env, error);
  }
  return status == napi_ok;
}

void on_prepare(uv_prepare_t* prepare) {
  auto* w = static_cast<DryWatch*>(prepare->data);
  uv_unref(base(&w->turn));
  if (others_alive(w)) {
    w->turns = 0;
    uv_idle_stop(&w->turn);
    return;
  }
  if (w->turns++ < kLastTurns) {
    uv_idle_start(&w->turn, [](uv_idle_t*) {});
    return;
  }
  w->turns = 0;
  uv_idle_stop(&w->turn);
  napi_handle_scope scope;
  napi_open_handle_scope(w->env, &scope);
  if (tell(w, false) && !others_alive(w)) tell(w, true);
  napi_close_handle_scope(w->env, scope);
}

void on_closed(uv_handle_t* handle) {
  auto* w = static_cast<DryWatch*>(handle->data);
  if (--w->open > 0) return;
  napi_remove_async_cleanup_hook(w->ending);
  delete w;
}

void on_environment_end(napi_async_cleanup_hook_handle hook, void* data) {
  auto* w = static_cast<DryWatch*>(data);
  w->ending = hook;
  for (void* handle :
       {static_cast<void*>(&w->keeper), static_cast<void*>(&w->prepare), static_cast<void*>(&w->turn)})
    uv_close(base(handle), on_closed);
}

}  // namespace

void watch_dry(napi_env env, napi_value dry) {
  auto* w = new DryWatch;
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  w->env = env;
  napi_create_reference(env, dry, 1, &w->dry);
  uv_timer_init(loop, &w->keeper);
  uv_prepare_init(loop, &w->prepare);
  uv_idle_init(loop, &w->turn);
  w->keeper.data = w->prepare.data = w->turn.data = w;
  uv_timer_start(&w->keeper, keep, kForEverMs, kForEverMs);
  uv_prepare_start(&w->prepare, on_prepare);
  uv_unref(base(&w->prepare));
  uv_unref(base(&w->turn));
  napi_add_async_cleanup_hook(env, on_environment_end, w, nullptr);
}

bool is_dry_keeper(const uv_timer_t* timer) { return timer->timer_cb == keep; }

void become_forked() { forked.store(true); }

void watch_dry_in_worker(napi_env env) {
  if (!forked.load()) return;
  napi_value dry;
  // A thread's process.exit() ends the thread alone, and waits for nothing.
  constexpr char source[] =
      "(last) => last ? process.exit() : process.emit('beforeExit', process.exitCode ?? 0)";
  if (napi_run_script(env, string(env, source), &dry) == napi_ok) watch_dry(env, dry);
}

}  // namespace mp::node
