// A child's standard stream that is a pipe. Libuv reads and writes pipes that it connects to by their name, and only those that
// allow overlapped calls; a child's C library wants the opposite. So one end has a name, which nobody can guess and which is
// good for one connection, and the other is the child's.
#include <errno.h>
#include <string.h>

#include "platform/win32/win32.h"

namespace mp::platform {
namespace {
constexpr DWORD kBufferBytes = 65536;
}

Failure pipe_create(int*, int*) { return {ENOSYS, "multiproc"}; }

Failure pipe_offer(bool child_reads, int* child_end, char (&name)[kPipeNameMax]) {
  unsigned char random[16];
  if (Failure f = random_bytes(random, sizeof random)) return f;
  size_t at = 0;
  for (const char* c = "\\\\.\\pipe\\multiproc-"; *c != 0; c++) name[at++] = *c;
  for (const unsigned char byte : random) {
    name[at++] = "0123456789abcdef"[byte >> 4];
    name[at++] = "0123456789abcdef"[byte & 15];
  }
  name[at] = 0;
  const DWORD direction = child_reads ? PIPE_ACCESS_INBOUND : PIPE_ACCESS_OUTBOUND;
  HANDLE end = CreateNamedPipeA(name, direction | FILE_FLAG_FIRST_PIPE_INSTANCE,
                                PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
                                1, kBufferBytes, kBufferBytes, 0, nullptr);
  if (end == INVALID_HANDLE_VALUE) return failed_call("CreateNamedPipeA");
  *child_end = number_of(end);
  return {};
}

}  // namespace mp::platform
