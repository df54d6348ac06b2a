#include <dlfcn.h>

#include "platform/platform.h"

namespace mp::platform {

void* symbol(const char* name) { return dlsym(RTLD_DEFAULT, name); }

void stay_loaded() {
  Dl_info own;
  if (dladdr(reinterpret_cast<void*>(&stay_loaded), &own) != 0)
    dlopen(own.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

}  // namespace mp::platform
