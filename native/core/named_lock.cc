#include "core/named_lock.h"

namespace mp {

NamedCheck named_lock_check(const NamedSegment& header) {
  if (header.segment.size != kNamedLockBytes || header.named.element_bytes != 1) return NamedCheck::damaged;
  if (header.segment.token_layout != platform::token_layout()) return NamedCheck::other_libc;
  return NamedCheck::ok;
}

}  // namespace mp
