// Sockets for a system that has none of it. Included once, by <system>/unsupported.cc.
#pragma once

#include <errno.h>

#include "platform/platform.h"

namespace mp::platform {

Failure socket_listen(SocketPlace, int, int*, FileFacts*) { return {ENOSYS, "multiproc"}; }
bool socket_abandoned(SocketPlace) { return false; }
Failure socket_accept(int, int*) { return {ENOSYS, "multiproc"}; }
Failure socket_connect(SocketPlace, int*) { return {ENOSYS, "multiproc"}; }
Failure socket_connected(int, bool*) { return {ENOSYS, "multiproc"}; }
Failure socket_name(int, SocketName*) { return {ENOSYS, "multiproc"}; }
Failure socket_peer_name(int, SocketName*) { return {ENOSYS, "multiproc"}; }
Failure socket_receive(int, void*, size_t, int64_t*) { return {ENOSYS, "multiproc"}; }
Failure socket_send(int, const void*, size_t, int64_t*) { return {ENOSYS, "multiproc"}; }
void socket_end(int) {}
SocketWait socket_wait(int, bool, int64_t, const Word*, uint32_t) { return SocketWait::timed_out; }

}  // namespace mp::platform
