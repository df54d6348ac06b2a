// Watches over children: their handles and doorbells, and their orderly end.
#include "node/child.h"

#include <memory>

#include "node/args.h"

namespace mp::node {
namespace {

constexpr int64_t kGraceNs = 500'000'000;
constexpr int64_t kKilledNs = 5'000'000'000;  // a SIGKILLed process may still sit in a device's system call
constexpr int kTerminate = 15;
constexpr int kKill = 9;

/// A child that nobody would hear of again.
void end_unheard(int handle, int status) {
  bool ended;
  int32_t exit_code;
  platform::process_signal(handle, kKill);
  platform::process_wait(handle, platform::monotonic_now() + kKilledNs, nullptr, 0);
  if (status < 0) platform::process_reap(handle, &ended, &exit_code);
}

}  // namespace

Children* children_of(const void* data) { return static_cast<Children*>(const_cast<void*>(data)); }

void Children::set_dispatch(napi_value function) {
  if (dispatch_ != nullptr) napi_delete_reference(env_, dispatch_);
  napi_create_reference(env_, function, 1, &dispatch_);
  if (context_ == nullptr) napi_async_init(env_, nullptr, string(env_, "multiproc.Process"), &context_);
}

platform::Failure Children::add(int handle, int status, int doorbell, bool ends_with_us, Child** out) {
  auto* child = new Child{this, next_id_++, handle, status, doorbell, ends_with_us};
  ++remaining_;
  children_[child->id] = child;
  int code = 0;
  open(child, &child->exit_watch, handle, on_exit, &code);
  if (doorbell >= 0) open(child, &child->bell_watch, doorbell, on_bell, &code);
  if (code != 0) {
    end_unheard(handle, status);
    forget(child, false);
    return {-code, "epoll_ctl"};
  }
  if (child->bell_watch.is_open()) child->bell_watch.keep_loop(false);
  *out = child;
  return {};
}

void Children::open(Child* child, Watch* watch, int fd, Watch::Call readable, int* code) {
  if (*code != 0) return;
  *code = watch->open(loop_, fd, watch == &child->exit_watch, readable, child);
  if (watch->is_open()) ++child->uses;
}

void Children::close(Watch* watch) {
  watch->close([](void* data) {
    auto* child = static_cast<Child*>(data);
    child->owner->release(child);
  });
}

void Children::release(Child* child) {
  if (--child->uses > 0) return;
  delete child;
  --remaining_;
  finish_if_done();
}

Child* Children::find(uint32_t id) {
  const auto found = children_.find(id);
  return found == children_.end() ? nullptr : found->second;
}

std::vector<uint32_t> Children::ended() const {
  std::vector<uint32_t> ids, result;
  std::vector<int> handles;
  for (const auto& [id, child] : children_) {
    ids.push_back(id);
    handles.push_back(child->handle);
  }
  const auto ended = std::make_unique<bool[]>(ids.size());
  platform::processes_ended(handles.data(), static_cast<int>(handles.size()), ended.get());
  for (size_t i = 0; i < ids.size(); i++) {
    if (ended[i]) result.push_back(ids[i]);
  }
  return result;
}

bool Children::reap(Child* child) {
  if (child->ended) return true;
  const platform::Failure failed =
      child->status < 0
          ? platform::process_reap(child->handle, &child->ended, &child->exit_code)
          : platform::process_reap_forked(child->handle, child->status, &child->ended, &child->exit_code);
  if (failed) {
    // Cannot happen on a handle of ours; if it does, a child of unknown end beats a watch that spins.
    child->ended = true;
    child->exit_code = 255;
  }
  return child->ended;
}

void Children::keep_alive(Child* child, bool yes) {
  if (child->exit_watch.is_open()) child->exit_watch.keep_loop(yes);
}

void Children::quiet(Child* child) {
  close(&child->bell_watch);
  if (child->doorbell >= 0) platform::close_fd(child->doorbell);
  child->doorbell = -1;
}

void Children::forget(Child* child, bool keep_handle) {
  if (child->forgotten) return;
  child->forgotten = true;
  children_.erase(child->id);
  quiet(child);
  close(&child->exit_watch);
  if (!keep_handle) platform::close_fd(child->handle);
  if (child->status >= 0) platform::close_fd(child->status);
  release(child);
}

void Children::end_all() {
  bool any = false;
  for (auto& [id, child] : children_) {
    if (child->ends_with_us && !reap(child)) {
      platform::process_signal(child->handle, kTerminate);
      any = true;
    }
  }
  if (!any) return;
  const int64_t grace = platform::monotonic_now() + kGraceNs;
  for (auto& [id, child] : children_) {
    if (child->ends_with_us && !child->ended) platform::process_wait(child->handle, grace, nullptr, 0);
  }
  for (auto& [id, child] : children_) {
    if (child->ends_with_us && !reap(child)) platform::process_signal(child->handle, kKill);
  }
  const int64_t killed = platform::monotonic_now() + kKilledNs;
  for (auto& [id, child] : children_) {
    if (child->ends_with_us && !child->ended && platform::process_wait(child->handle, killed, nullptr, 0))
      reap(child);
  }
}

void Children::leave() {
  while (!children_.empty()) forget(children_.begin()->second, false);
}

void Children::dispatch(uint32_t id, Event event) {
  napi_handle_scope scope;
  napi_open_handle_scope(env_, &scope);
  napi_value function, global, result;
  if (dispatch_ != nullptr && napi_get_reference_value(env_, dispatch_, &function) == napi_ok) {
    napi_get_global(env_, &global);
    napi_value args[] = {uint32(env_, id), int32(env_, event)};
    if (napi_make_callback(env_, context_, global, function, 2, args, &result) == napi_pending_exception) {
      napi_value error;
      if (napi_get_and_clear_last_exception(env_, &error) == napi_ok) napi_fatal_exception(env_, error);
    }
  }
  napi_close_handle_scope(env_, scope);
}

void Children::on_exit(void* data) {
  auto* child = static_cast<Child*>(data);
  if (!child->owner->reap(child)) return;
  child->exit_watch.stop();
  child->owner->dispatch(child->id, kExit);
}

void Children::on_bell(void* data) {
  auto* child = static_cast<Child*>(data);
  platform::doorbell_clear(child->doorbell);
  child->owner->dispatch(child->id, kBell);
}

void Children::on_environment_end(napi_async_cleanup_hook_handle hook, void* data) {
  auto* self = static_cast<Children*>(data);
  self->end_all();
  self->ending_ = hook;
  // JavaScript is over: no dispatch from here on. The references die with the environment.
  self->dispatch_ = nullptr;
  ++self->remaining_;  // holds `self` through the loop
  while (!self->children_.empty()) self->forget(self->children_.begin()->second, false);
  --self->remaining_;
  self->finish_if_done();
}

void Children::finish_if_done() {
  if (ending_ == nullptr || remaining_ > 0) return;
  napi_remove_async_cleanup_hook(ending_);
  delete this;
}

}  // namespace mp::node
