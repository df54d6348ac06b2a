// Events for TypeScript.
#include "core/event.h"
#include "core/objects.h"
#include "node/monitor_call.h"

namespace mp::node {
namespace {

Environment& self(void* data) { return *static_cast<Environment*>(data); }

napi_value event_set_(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  return boolean(env, event_set(place_of(a.data, to_uint32(env, a[0])).slot()));
}

// eventWake(index): after JavaScript has set it, and found that somebody sleeps
napi_value event_wake_(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  event_wake(place_of(a.data, to_uint32(env, a[0])).slot());
  return nullptr;
}

napi_value event_clear_(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  return boolean(env, event_clear(place_of(a.data, to_uint32(env, a[0])).slot()));
}

// eventWord(index) → the word: odd when set
napi_value event_word_(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  return uint32(env, event_word(place_of(a.data, to_uint32(env, a[0])).slot()).load());
}

// waitEvent(index, word, timeoutMs) → Outcome. Blocks this thread.
napi_value wait_event(napi_env env, napi_callback_info info) {
  Args<3> a(env, info);
  const Place p = place_of(a.data, to_uint32(env, a[0]));
  return wait_for_bell(env, event_wait(p.arena, p.index, to_uint32(env, a[1]), p.me), to_double(env, a[2]));
}

// spinEvent(index, word) → whether it was set within some microseconds
napi_value spin_event(napi_env env, napi_callback_info info) {
  Args<2> a(env, info);
  const Place p = place_of(a.data, to_uint32(env, a[0]));
  return boolean(env, bell_spin(event_wait(p.arena, p.index, to_uint32(env, a[1]), p.me)));
}

// watchEvent(index, word, holdsLoop) → wait id; the end comes through onWaitDone
napi_value watch_event(napi_env env, napi_callback_info info) {
  Args<3> a(env, info);
  const Place p = place_of(a.data, to_uint32(env, a[0]));
  const BellTask task{event_wait(p.arena, p.index, to_uint32(env, a[1]), p.me), kEvent, nullptr};
  uint32_t id;
  if (auto failed = self(a.data).waiters.add(task, INT64_MAX, &id, to_bool(env, a[2])))
    return throw_failure(env, failed);
  return uint32(env, id);
}

}  // namespace

void init_event(napi_env env, napi_value exports) {
  void* e = &environment(env);
  const auto add = [&](const char* function, napi_callback body) {
    add_function(env, exports, function, body, e);
  };
  add("eventSet", event_set_);
  add("eventWake", event_wake_);
  add("eventClear", event_clear_);
  add("eventWord", event_word_);
  add("waitEvent", wait_event);
  add("spinEvent", spin_event);
  add("watchEvent", watch_event);
}

}  // namespace mp::node
