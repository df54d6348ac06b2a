// Stands in front of platform::token_dead (linked with --wrap), so that recovery can be broken on purpose without a hook
// in the core: a detector that has never fired is not known to work.
#include "platform/platform.h"
#include "storm/storm.h"

#define REAL __real__ZN2mp8platform10token_deadEPKNS0_5TokenEj
#define WRAP __wrap__ZN2mp8platform10token_deadEPKNS0_5TokenEj

extern "C" bool REAL(const mp::platform::Token* token, uint32_t value);
extern "C" bool WRAP(const mp::platform::Token* token, uint32_t value) {
  return mp::test::broken_tokens || REAL(token, value);
}
