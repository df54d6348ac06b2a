// What a child inherits, as its C library and we find it: a block whose address the system hands over (lpReserved2).
//
//   int count;  unsigned char flags[count];  HANDLE handles[count], unaligned
//
// It is how C libraries of Microsoft's pass descriptors on: node.exe makes its 0, 1, 2 of entries that are marked as open.
// Ours, from 3 on, are not marked, since no C library could do anything with them: it skips them, and we read them there.
#pragma once

#include "platform/win32/win32.h"

namespace mp::platform {

inline constexpr unsigned char kOpen = 0x01, kPipe = 0x08, kDevice = 0x40;
size_t block_bytes(int count);

}  // namespace mp::platform
