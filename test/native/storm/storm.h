#pragma once

namespace mp::test {
/// Set before the first fork: every token reads as dead, so waiters take locks from live owners.
extern bool broken_tokens;
/// Likewise: whoever repairs a semaphore does not count its units again.
extern bool broken_settle;
/// Likewise: whoever takes a queue's latch over does not count its bytes and references again.
extern bool broken_doubt;
}  // namespace mp::test
