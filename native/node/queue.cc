// Queues for TypeScript. Hot: raw Node-API, the environment bound to each function, small integers only.
//
// Records go through two buffers of the environment (messages.h). Results come as one number: a QueueResult in the low three
// bits, how many units were moved above.
#include "core/queue.h"

#include "core/spin.h"
#include "node/args.h"
#include "node/messages.h"

namespace mp::node {
namespace {

Messages& self(void* data) { return *static_cast<Messages*>(data); }

napi_value result_value(napi_env env, QueueResult result, uint32_t units, const platform::Failure& failed) {
  if (result == QueueResult::failed) return throw_failure(env, failed);
  return uint32(env, static_cast<uint32_t>(result) | units << 3);
}

/// How a call goes on where it would have to wait: native/message-binding.ts's How.
enum How : uint32_t { kStands = 1, kSpins = 2, kCounts = 4 };

/// (…, how?, seat?)
struct Slow {
  uint32_t how = 0;
  Seat* seat = nullptr;
  template <size_t N>
  Slow(napi_env env, const Args<N>& a, size_t from) {
    if (a.count <= from) return;
    how = to_uint32(env, a[from]);
    seat = &seat_at(process_arena(), to_uint32(env, a[from + 1]));
  }
  Seat* stands() const { return how & kStands ? seat : nullptr; }
};

// messageBuffers() → [out, in]: the same ones for good
napi_value message_buffers(napi_env env, napi_callback_info info) {
  Args<0> a(env, info);
  Messages& m = self(a.data);
  napi_value list;
  napi_create_array_with_length(env, 2, &list);
  for (uint32_t i = 0; i < 2; i++) {
    napi_value buffer;
    if (m.buffers[i] != nullptr) {
      napi_get_reference_value(env, m.buffers[i], &buffer);
    } else {
      void* bytes = nullptr;
      if (napi_create_arraybuffer(env, kMessageBytes, &bytes, &buffer) != napi_ok)
        return throw_failure(env, {12 /* ENOMEM */, "napi_create_arraybuffer"});
      napi_create_reference(env, buffer, 1, &m.buffers[i]);
      (i == 0 ? m.out : m.in) = static_cast<unsigned char*>(bytes);
    }
    napi_set_element(env, list, i, buffer);
  }
  return list;
}

// initQueue(ring, maxItems, maxBytes): a fresh block
napi_value init_queue(napi_env env, napi_callback_info info) {
  Args<3> a(env, info);
  const Slot& slot = process_arena().slot(to_uint32(env, a[0]));
  HeapPart part;
  if (auto failed = heap_map(slot.extent, slot.bytes, false, &part)) return throw_failure(env, failed);
  queue_init(*reinterpret_cast<QueueBlock*>(part.at),
             static_cast<uint32_t>((slot.bytes - sizeof(QueueBlock)) / kUnit), to_uint32(env, a[1]),
             static_cast<uint64_t>(to_int64(env, a[2])));
  heap_unmap(part);
  return nullptr;
}

// openRing(index, block) → an id for the calls below; the environment holds both objects until closeRing
napi_value open_ring(napi_env env, napi_callback_info info) {
  Args<2> a(env, info);
  Messages& m = self(a.data);
  const Slot& slot = process_arena().slot(to_uint32(env, a[1]));
  OpenRing ring{to_uint32(env, a[0])};
  if (auto failed = heap_map(slot.extent, slot.bytes, false, &ring.part)) return throw_failure(env, failed);
  ring.bytes = ring.part.at;
  uint32_t id = 0;
  while (id < m.rings.size() && m.rings[id].index != 0) id++;
  if (id == m.rings.size()) m.rings.push_back(ring);
  m.rings[id] = ring;
  return uint32(env, id);
}

// closeRing(id)
napi_value close_ring(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  OpenRing& ring = self(a.data).rings[to_uint32(env, a[0])];
  heap_unmap(ring.part);
  ring = {};
  return nullptr;
}

// queuePut(id, units, how?, seat?): what lies in the first of the buffers
napi_value put(napi_env env, napi_callback_info info) {
  Args<4> a(env, info);
  const Messages& m = self(a.data);
  const QueueDesk desk = m.desk(to_uint32(env, a[0]));
  const uint32_t units = to_uint32(env, a[1]);
  const Slow slow(env, a, 2);
  platform::Failure failed;
  uint32_t done = 0;
  if (slow.how & kSpins) spin_until([&] { return queue_may_put(desk, units); });
  const auto result = queue_put(desk, m.out, units, slow.stands(), &done, &failed);
  return result_value(env, result, done, failed);
}

// queueGet(id, max, how?, seat?): into the second
napi_value get(napi_env env, napi_callback_info info) {
  Args<4> a(env, info);
  const Messages& m = self(a.data);
  const QueueDesk desk = m.desk(to_uint32(env, a[0]));
  const uint32_t max = to_uint32(env, a[1]);
  const Slow slow(env, a, 2);
  platform::Failure failed;
  uint32_t units = 0;
  if (slow.how & kSpins) spin_until([&] { return queue_may_get(desk); });
  const auto result = queue_get(desk, m.in, kRecordUnitsMax, max, slow.stands(),
                                slow.how & kCounts ? slow.seat : nullptr, &units, &failed);
  return result_value(env, result, units, failed);
}

// queueWithdraw(id, seat)
napi_value withdraw(napi_env env, napi_callback_info info) {
  Args<2> a(env, info);
  queue_withdraw(self(a.data).desk(to_uint32(env, a[0])), seat_at(process_arena(), to_uint32(env, a[1])));
  return nullptr;
}

// queueDone(id, seat) → false: there was nothing to be said of
napi_value done(napi_env env, napi_callback_info info) {
  Args<2> a(env, info);
  const QueueDesk desk = self(a.data).desk(to_uint32(env, a[0]));
  return boolean(env, queue_done(desk, &seat_at(process_arena(), to_uint32(env, a[1]))));
}

// queueJoin(id, how?, seat?) → result, and how many were lost
napi_value join(napi_env env, napi_callback_info info) {
  Args<3> a(env, info);
  const QueueDesk desk = self(a.data).desk(to_uint32(env, a[0]));
  const Slow slow(env, a, 1);
  uint32_t lost = 0;
  const auto result = queue_join(desk, slow.stands(), &lost);
  return result_value(env, result, lost, {});
}

// queueShut(id, discard)
napi_value shut(napi_env env, napi_callback_info info) {
  Args<2> a(env, info);
  queue_shut(self(a.data).desk(to_uint32(env, a[0])), to_bool(env, a[1]));
  return nullptr;
}

// queueFacts(id) → [length, maxItems, bytes, maxBytes, shut, ring bytes]: a glance
napi_value facts(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const QueueDesk desk = self(a.data).desk(to_uint32(env, a[0]));
  const uint64_t in = desk.queue.in.load(), out = desk.queue.out.load();
  const uint32_t length = queue_length(in, out);
  napi_value list;
  napi_create_array_with_length(env, 6, &list);
  napi_set_element(env, list, 0, uint32(env, length));
  napi_set_element(env, list, 1, uint32(env, desk.block.max_items));
  napi_set_element(env, list, 2, number(env, static_cast<double>(queue_bytes(desk.block, in, out))));
  napi_set_element(env, list, 3, number(env, static_cast<double>(desk.block.max_bytes)));
  napi_set_element(env, list, 4, uint32(env, desk.queue.flags.load() & kShut));
  napi_set_element(env, list, 5, number(env, static_cast<double>(desk.block.units) * kUnit));
  return list;
}

// queueLength(id): exact at a moment during the call
napi_value length(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const QueueMonitor& q = self(a.data).desk(to_uint32(env, a[0])).queue;
  for (;;) {
    const uint64_t out = q.out.load(), in = q.in.load();
    if (out == q.out.load()) return uint32(env, queue_length(in, out));
  }
}

void leave(void* data) {
  auto* m = static_cast<Messages*>(data);
  m->environment->waiters.stop();  // they look at words of pipes; this hook runs before the environment's own
  for (const OpenRing& ring : m->rings)
    if (ring.index != 0) heap_unmap(ring.part);
  delete m;
}

}  // namespace

void init_queue(napi_env env, napi_value exports) {
  auto* m = new Messages{&environment(env)};
  napi_add_env_cleanup_hook(env, leave, m);
  const auto add = [&](const char* function, napi_callback body) {
    add_function(env, exports, function, body, m);
  };
  add("messageBuffers", message_buffers);
  add("initQueue", init_queue);
  add("openRing", open_ring);
  add("closeRing", close_ring);
  add("queuePut", put);
  add("queueGet", get);
  add("queueWithdraw", withdraw);
  add("queueDone", done);
  add("queueJoin", join);
  add("queueShut", shut);
  add("queueFacts", facts);
  add("queueLength", length);
  init_pipe(env, exports, m);
}

}  // namespace mp::node
