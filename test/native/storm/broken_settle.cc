// Stands in front of semaphore_settle where monitor.cc calls it (linked with --wrap), so that repair can be broken on
// purpose without a hook in the core: what the dead held is taken out and never counted again.
#include "core/semaphore.h"
#include "storm/storm.h"

#define REAL __real__ZN2mp16semaphore_settleERKNS_5ArenaERNS_7MonitorERNS_7LatchedE
#define WRAP __wrap__ZN2mp16semaphore_settleERKNS_5ArenaERNS_7MonitorERNS_7LatchedE

extern "C" void REAL(const mp::Arena& arena, mp::Monitor& monitor, mp::Latched& latched);
extern "C" void WRAP(const mp::Arena& arena, mp::Monitor& monitor, mp::Latched& latched) {
  if (!mp::test::broken_settle) REAL(arena, monitor, latched);
}
