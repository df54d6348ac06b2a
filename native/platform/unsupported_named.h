// Named memory for a system that has none of it. Included once, by <system>/unsupported.cc.
#pragma once

#include <errno.h>

#include "platform/platform.h"

namespace mp::platform {

bool named_exists(Place) { return false; }
Failure named_prepare(Place, uint32_t, Unnamed*) { return {ENOSYS, "multiproc"}; }
Failure named_resize(int, size_t, bool) { return {ENOSYS, "multiproc"}; }
Failure named_reserve(int, size_t, size_t) { return {ENOSYS, "multiproc"}; }
Failure named_publish(Unnamed*, Place) { return {ENOSYS, "multiproc"}; }
Failure named_replace(Unnamed*, Place) { return {ENOSYS, "multiproc"}; }
void named_discard(Unnamed*) {}
Failure named_open(Place, bool, int*) { return {ENOSYS, "multiproc"}; }
Failure named_facts(int, FileFacts*) { return {ENOSYS, "multiproc"}; }
Failure named_unlink(Place, const FileFacts*) { return {ENOSYS, "multiproc"}; }
Failure named_list(void (*)(void*, const char*), void*) { return {ENOSYS, "multiproc"}; }
void named_sweep(Place) {}
Failure named_lock(int) { return {ENOSYS, "multiproc"}; }
Failure named_map(int, size_t, bool, void**, uint32_t*) { return {ENOSYS, "multiproc"}; }
void named_unmap(void*, size_t, uint32_t) {}
Failure named_sync(void*, size_t) { return {ENOSYS, "multiproc"}; }
Word* guard_flags() {
  static Word none[kGuardMax];
  return none;
}
void guard_restore(uint32_t) {}

}  // namespace mp::platform
