// How named_memory.cc puts a mapping under the fault guard.
#pragma once

#include "platform/platform.h"

namespace mp::platform {

/// Registers a mapping; *out is its number, never 0.
Failure guard_add(void* base, size_t size, bool read_only, uint32_t* out);
/// Before it is unmapped.
void guard_remove(uint32_t guard);

}  // namespace mp::platform
