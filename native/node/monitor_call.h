// What the calls on a monitor or an event have in common: an index, and a seat.
//
// An index is that of an object, or of a named lock that is open here; a seat is that of the object, and is ignored where
// the seat lies beside the participant.
#pragma once

#include "core/bell.h"
#include "core/monitor.h"
#include "core/participants.h"
#include "node/args.h"
#include "node/place.h"

namespace mp::node {

/// What answers 0, 1 or 2 answers this where others have damaged the memory.
inline constexpr uint32_t kDamagedGrant = 5;

inline Desk desk_of(const Place& p, uint32_t seat) {
  return {p.arena, p.index, monitor_at(p.arena, p.index),
          p.named == nullptr ? seat_at(p.arena, seat) : seat_beside(p.arena, owner_slot(p.me)), p.me};
}

/// What the functions on a monitor have in common: (index, seat, …).
struct Call : Args<4> {
  Place place;
  Desk desk;
  Call(napi_env env, napi_callback_info info)
      : Args<4>(env, info),
        place(place_of(data, to_uint32(env, value[0]))),
        desk(desk_of(place, to_uint32(env, value[1]))) {}
};

/// Tries; once more if that found nothing, and then somebody dead, who may have had it.
template <class F>
Grant try_and_sweep(const Call& c, F attempt) {
  const Grant got = attempt();
  return got == Grant::waits && participants_sweep(c.desk.arena) > 0 ? attempt() : got;
}

inline napi_value grant_value(napi_env env, const Place& place, Grant grant) {
  return uint32(env, place.damaged() ? kDamagedGrant : static_cast<uint32_t>(grant));
}

/// Waits for a bell, blocking this thread.
inline napi_value wait_for_bell(napi_env env, const BellWait& wait, double timeout_ms) {
  Outcome outcome = Outcome::acquired;
  if (!bell_spin(wait)) {
    platform::interrupt_watch();  // system calls: only for waits that will sleep
    outcome = bell_wait(wait, deadline_of(timeout_ms), platform::interrupt_word(), environment_ending, env);
  }
  return uint32(env, static_cast<uint32_t>(outcome));
}

}  // namespace mp::node
