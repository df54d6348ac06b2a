#include <dlfcn.h>

#include "platform/platform.h"

namespace mp::platform {

void* symbol(const char* name) { return dlsym(RTLD_DEFAULT, name); }

}  // namespace mp::platform
