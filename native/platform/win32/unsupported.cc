// Windows is not implemented yet.
#include "platform/unsupported.h"

extern "C" int _getpid(void);  // <process.h>, which this file does without so that any compiler can check it

namespace mp::platform {

uint32_t process_id() { return static_cast<uint32_t>(_getpid()); }
uint32_t thread_id() { return process_id(); }

}  // namespace mp::platform
