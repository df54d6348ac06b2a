// Seats and bells for TypeScript: what all monitors have in common.
#include "core/participants.h"
#include "node/monitor_call.h"

namespace mp::node {
namespace {

Environment& self(void* data) { return *static_cast<Environment*>(data); }

// joinMonitor(index) → seat
napi_value join_monitor(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Place p = place_of(a.data, to_uint32(env, a[0]));
  uint32_t seat;
  if (auto failed = monitor_join(p.arena, p.index, p.me, &seat)) return throw_failure(env, failed);
  return uint32(env, seat);
}

// leaveMonitor(index, seat)
napi_value leave_monitor(napi_env env, napi_callback_info info) {
  Args<2> a(env, info);
  const Place p = place_of(a.data, to_uint32(env, a[0]));
  monitor_leave(p.arena, p.index, p.me, to_uint32(env, a[1]));
  return nullptr;
}

// leaveLatch(index): what JavaScript could not leave by a compare-and-swap, because somebody waits for it
napi_value leave_latch(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Place p = place_of(a.data, to_uint32(env, a[0]));
  latch_leave(monitor_at(p.arena, p.index).latch, p.me);
  return nullptr;
}

// monitorFields(index) → [waiting, field 0 … 5, detail]: of the kind; a glance, not a snapshot
napi_value monitor_fields(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Place p = place_of(a.data, to_uint32(env, a[0]));
  participants_sweep(p.arena);  // the dead are not to be counted
  return monitor_fields_value(env, monitor_at(p.arena, p.index));
}

// monitorSeats(index) → [{ owner: { pid, environment, name } | null, id, blockedOn, mine, low, high }]: who has a seat, and
// the halves of its hold
napi_value monitor_seats(napi_env env, napi_callback_info info) {
  Args<1> a(env, info);
  const Place p = place_of(a.data, to_uint32(env, a[0]));
  struct Facts {
    OwnerId owner;
    uint64_t hold, blocked_on;
  };
  std::vector<Facts> seats;
  {
    const Latched latched(p.arena, p.index, p.me);
    each_seat(p.arena, monitor_at(p.arena, p.index), [&](Seat& s) {
      seats.push_back({s.owner.load(std::memory_order_relaxed), s.hold.load(std::memory_order_relaxed),
                       s.blocked_on.load(std::memory_order_seq_cst)});
      return true;
    });
  }
  napi_value list;
  napi_create_array(env, &list);
  uint32_t n = 0;
  for (const Facts& s : seats) {
    platform::Watch unused;
    if (owner_dead(p.arena, s.owner, &unused)) continue;
    napi_value o = seat_value(env, p.arena, s.owner, s.hold, s.owner == p.me);
    set(env, o, "id", uint32(env, s.owner));
    set(env, o, "blockedOn", bigint(env, s.blocked_on));
    napi_set_element(env, list, n++, o);
  }
  return list;
}

// waitBell(index, seat, timeoutMs) → Outcome: waits for the seat's bell, blocking this thread
napi_value wait_bell(napi_env env, napi_callback_info info) {
  Call c(env, info);
  const BellWait wait{c.desk.arena, c.desk.index, c.desk.seat.bell,
                      c.desk.seat.heard.load(std::memory_order_relaxed), c.desk.me};
  return wait_for_bell(env, wait, to_double(env, c[2]));
}

// watchBell(index, seat) → wait id; the end comes through onWaitDone
napi_value watch_bell(napi_env env, napi_callback_info info) {
  Call c(env, info);
  const BellTask task{{c.desk.arena, c.desk.index, c.desk.seat.bell,
                       c.desk.seat.heard.load(std::memory_order_relaxed), c.desk.me},
                      monitor_kind(c.desk.arena, c.desk.index),
                      &c.desk.seat};
  uint32_t id;
  if (auto failed = self(c.data).waiters.add(task, INT64_MAX, &id)) return throw_failure(env, failed);
  return uint32(env, id);
}

}  // namespace

napi_value seat_value(napi_env env, const Arena& arena, OwnerId owner, uint64_t hold, bool mine) {
  napi_value o;
  napi_create_object(env, &o);
  set(env, o, "owner", participant_value(env, arena, owner));
  set(env, o, "mine", boolean(env, mine));
  set(env, o, "low", uint32(env, static_cast<uint32_t>(hold)));
  set(env, o, "high", uint32(env, static_cast<uint32_t>(hold >> 32)));
  return o;
}

napi_value monitor_fields_value(napi_env env, const Monitor& m) {
  napi_value list;
  napi_create_array_with_length(env, 8, &list);
  napi_set_element(env, list, 0, uint32(env, m.waiting.load()));
  for (uint32_t i = 0; i < 6; i++) napi_set_element(env, list, 1 + i, uint32(env, m.field[i].load()));
  napi_set_element(env, list, 7, uint32(env, m.detail));
  return list;
}

void init_monitors(napi_env env, napi_value exports) {
  void* e = &environment(env);
  const auto add = [&](const char* function, napi_callback body) {
    add_function(env, exports, function, body, e);
  };
  add("joinMonitor", join_monitor);
  add("leaveMonitor", leave_monitor);
  add("leaveLatch", leave_latch);
  add("monitorFields", monitor_fields);
  add("monitorSeats", monitor_seats);
  add("waitBell", wait_bell);
  add("watchBell", watch_bell);
}

}  // namespace mp::node
