// Pipes for TypeScript, which writes and reads their rings itself: what it cannot do is sleep, wake, and keep references.
#include "core/pipe.h"

#include "core/objects.h"
#include "node/args.h"
#include "node/messages.h"
#include "node/monitor_call.h"

namespace mp::node {
namespace {

Messages& self(void* data) { return *static_cast<Messages*>(data); }

PipeDesk desk_of(const Messages& m, uint32_t id) {
  const OpenRing& ring = m.rings[id];
  return {process_arena(), ring.index, *reinterpret_cast<PipeBlock*>(ring.bytes), m.environment->me};
}

napi_value result_value(napi_env env, PipeResult result, uint32_t units, const platform::Failure& failed) {
  if (result == PipeResult::failed) return throw_failure(env, failed);
  return uint32(env, static_cast<uint32_t>(result) | units << 3);
}

// initPipe(block, units, rings): a fresh block
napi_value init_pipe(napi_env env, napi_callback_info info) {
  Args<3> a(env, info);
  const Slot& slot = process_arena().slot(to_uint32(env, a[0]));
  HeapPart part;
  if (auto failed = heap_map(slot.extent, slot.bytes, false, &part)) return throw_failure(env, failed);
  auto& block = *reinterpret_cast<PipeBlock*>(part.at);
  block.units = to_uint32(env, a[1]);
  block.rings = to_uint32(env, a[2]);
  heap_unmap(part);
  return nullptr;
}

// pipePut(id, ring, units): the record with references that lies in the first of the buffers
napi_value put(napi_env env, napi_callback_info info) {
  Args<3> a(env, info);
  const Messages& m = self(a.data);
  platform::Failure failed;
  const auto result =
      pipe_put(desk_of(m, to_uint32(env, a[0])), to_uint32(env, a[1]), m.out, to_uint32(env, a[2]), &failed);
  return result_value(env, result, 0, failed);
}

// pipeGet(id, ring): a record that has references, into the second
napi_value get(napi_env env, napi_callback_info info) {
  Args<2> a(env, info);
  const Messages& m = self(a.data);
  platform::Failure failed;
  uint32_t units = 0;
  const auto result = pipe_get(desk_of(m, to_uint32(env, a[0])), to_uint32(env, a[1]), m.in, kRecordUnitsMax,
                               &units, &failed);
  return result_value(env, result, units, failed);
}

/// (id, ring, head, value, end, header, user, …): until a ring's tail, or head, is no longer `value`, or the header of the
/// other end's slot, or its user in that direction, not the one given.
struct PipeCall : Args<8> {
  PipeDesk desk;
  BellWait wait;
  PipeCall(napi_env env, napi_callback_info info)
      : Args<8>(env, info), desk(desk_of(self(data), to_uint32(env, value[0]))), wait(wait_of(env)) {}

 private:
  BellWait wait_of(napi_env env) const {
    PipeRing& ring = desk.block.ring[to_uint32(env, value[1])];
    const bool head = to_bool(env, value[2]);
    const uint32_t end = to_uint32(env, value[4]);
    PipeEnd& other = reinterpret_cast<PipeEnd&>(desk.arena.slot(end));
    return {desk.arena,
            desk.index,
            head ? ring.head : ring.tail,
            to_uint32(env, value[3]),
            desk.me,
            nullptr,
            head ? &ring.head_awaited : &ring.tail_awaited,
            {{&end_header(desk.arena, end), to_uint32(env, value[5])},
             {head ? &other.receiver : &other.sender, to_uint32(env, value[6])}}};
  }
};

// waitPipe(…, timeoutMs) → Outcome. Blocks this thread.
napi_value wait_pipe(napi_env env, napi_callback_info info) {
  PipeCall c(env, info);
  return wait_for_bell(env, c.wait, to_double(env, c[7]));
}

// watchPipe(…) → wait id; the end comes through onWaitDone
napi_value watch_pipe(napi_env env, napi_callback_info info) {
  PipeCall c(env, info);
  const BellTask task{c.wait, kPipe, nullptr};
  uint32_t id;
  if (auto failed = self(c.data).environment->waiters.add(task, INT64_MAX, &id))
    return throw_failure(env, failed);
  return uint32(env, id);
}

// spinPipe(…) → whether it came within some microseconds
napi_value spin_pipe(napi_env env, napi_callback_info info) {
  PipeCall c(env, info);
  return boolean(env, bell_spin(c.wait));
}

// wakePipe(id, ring, head): who sleeps until it moves; this environment has moved it
napi_value wake_pipe(napi_env env, napi_callback_info info) {
  Args<3> a(env, info);
  PipeRing& ring = desk_of(self(a.data), to_uint32(env, a[0])).block.ring[to_uint32(env, a[1])];
  if (to_bool(env, a[2]))
    pipe_wake(ring.head, ring.head_awaited);
  else
    pipe_wake(ring.tail, ring.tail_awaited);
  return nullptr;
}

}  // namespace

void init_pipe(napi_env env, napi_value exports, Messages* m) {
  const auto add = [&](const char* function, napi_callback body) {
    add_function(env, exports, function, body, m);
  };
  add("initPipe", init_pipe);
  add("pipePut", put);
  add("pipeGet", get);
  add("waitPipe", wait_pipe);
  add("watchPipe", watch_pipe);
  add("spinPipe", spin_pipe);
  add("wakePipe", wake_pipe);
}

}  // namespace mp::node
