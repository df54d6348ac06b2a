// Barriers for TypeScript.
#include "core/barrier.h"
#include "node/monitor_call.h"

namespace mp::node {
namespace {

// barrierArrive(index, seat) → Arrival + 8 · phase: one number, which costs a tenth of an array
napi_value barrier_arrive_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  uint32_t phase;
  const Arrival arrival = barrier_arrive(c.desk, &phase);
  return number(env, static_cast<double>(static_cast<uint32_t>(arrival) + 8 * uint64_t{phase}));
}

// barrierTrip(index, seat, phase) → false: broken or reset meanwhile
napi_value barrier_trip_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return boolean(env, barrier_trip(c.desk, to_uint32(env, c[2])));
}

// barrierCollect(index, seat) → BarrierOutcome + 4 · base + 2²² · parties
napi_value barrier_collect_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  const BarrierSeat b = barrier_collect(c.desk);
  static_assert(kPartiesMax < 1u << 20);
  const uint64_t packed =
      static_cast<uint64_t>(b.outcome) | uint64_t{b.base} << 2 | uint64_t{b.parties} << 22;
  return number(env, static_cast<double>(packed));
}

// barrierWithdraw(index, seat) → false: too late
napi_value barrier_withdraw_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  return boolean(env, barrier_withdraw(c.desk));
}

// barrierBreak(index, seat, phase or -1 for any)
napi_value barrier_break_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  barrier_break(c.desk, static_cast<uint32_t>(to_int32(env, c[2])));
  return nullptr;
}

// barrierReset(index, seat)
napi_value barrier_reset_(napi_env env, napi_callback_info info) {
  Call c(env, info);
  barrier_reset(c.desk);
  return nullptr;
}

}  // namespace

void init_barrier(napi_env env, napi_value exports) {
  void* e = &environment(env);
  const auto add = [&](const char* function, napi_callback body) {
    add_function(env, exports, function, body, e);
  };
  add("barrierArrive", barrier_arrive_);
  add("barrierTrip", barrier_trip_);
  add("barrierCollect", barrier_collect_);
  add("barrierWithdraw", barrier_withdraw_);
  add("barrierBreak", barrier_break_);
  add("barrierReset", barrier_reset_);
}

}  // namespace mp::node
