// How a process ended, for those that are not its parent.
#pragma once

#include <cstdint>

namespace mp::platform {

/// How the process of this pidfd, which has ended, did: as process_reap says it. Never waits. False: it is not to be had,
/// because the process was collected and the kernel keeps nothing then.
bool exit_recorded(int handle, int32_t* exit_code);
/// Exit code 0..255, or -N after signal N.
int32_t exit_code_of(int wait_status);

}  // namespace mp::platform
