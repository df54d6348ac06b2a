// A monitor in an arena of its own, and participants that sit down at it.
#pragma once

#include "core/monitor.h"
#include "core/named_lock.h"
#include "support/arena.h"

namespace mp::test {

struct Table {
  Arena arena;
  OwnerId keeper = 0;
  uint32_t index = 0;

  explicit Table(uint32_t kind, bool named = false) {
    if (!named) {
      arena = make_arena();
      keeper = enter(arena);
      index = create(arena, keeper, kind);
      return;
    }
    void* base;
    arena.plan = &kNamedLockPlan;
    arena.kind = kind;
    CHECK(!platform::memory_create("multiproc-test", kNamedLockBytes, &arena.fd));
    CHECK(!platform::memory_reserve(arena.fd, 0, 2 * kPage));
    CHECK(!platform::memory_map(arena.fd, kNamedLockBytes, &base));
    arena.base = static_cast<unsigned char*>(base);
  }
  Table(const Table&) = delete;
  ~Table() {
    if (arena.plan->has_objects) {
      drop_arena(arena);
      return;
    }
    platform::memory_unmap(arena.base, kNamedLockBytes);
    ::close(arena.fd);
  }

  Monitor& monitor() const { return monitor_at(arena, index); }
  /// One more participant, with the monitor open and a seat.
  Desk sit() const {
    const OwnerId me = enter(arena);
    uint32_t seat;
    if (arena.plan->has_objects)
      CHECK(open(arena, me, index, generation_of(arena, index), monitor_kind(arena, index)));
    CHECK(!monitor_join(arena, index, me, &seat));
    return {arena, index, monitor(),
            arena.plan->has_objects ? seat_at(arena, seat) : seat_beside(arena, owner_slot(me)), me};
  }
  void leave(const Desk& d) const {
    monitor_leave(arena, index, d.me,
                  static_cast<uint32_t>(reinterpret_cast<Slot*>(&d.seat) - &arena.slot(0)));
  }
  uint32_t seats() const {
    uint32_t n = 0;
    each_seat(arena, monitor(), [&](Seat&) { return ++n != 0; });
    return n;
  }
  /// Whether the bell has rung since the seat began to wait.
  bool rung(const Desk& d) const { return d.seat.bell != d.seat.heard; }
};

}  // namespace mp::test
