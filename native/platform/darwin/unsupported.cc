// macOS is not implemented yet.
#include "platform/unsupported.h"

#include <unistd.h>

namespace mp::platform {

uint32_t process_id() { return static_cast<uint32_t>(getpid()); }
uint32_t thread_id() { return process_id(); }

}  // namespace mp::platform
