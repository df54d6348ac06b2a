#include "core/named_lock.h"

#include "core/objects.h"

namespace mp {

uint32_t named_lock_object(uint32_t named_kind) {
  switch (named_kind) {
    case kNamedSemaphore:
    case kNamedBoundedSemaphore:
      return kSemaphore;
    case kNamedEvent:
      return kEvent;
    case kNamedRWLock:
      return kRWLock;
    default:
      return kLock;
  }
}

NamedCheck named_lock_check(const NamedSegment& header) {
  if (header.segment.size != kNamedLockBytes || header.named.element_bytes != 1) return NamedCheck::damaged;
  if (header.segment.token_layout != platform::token_layout()) return NamedCheck::other_libc;
  return NamedCheck::ok;
}

}  // namespace mp
