// Letters: temporary files without sharing, which go with the last handle to them, however it is closed. A child has the
// same file object by inheritance; nobody else can open it.
#include <errno.h>
#include <stdio.h>

#include "platform/win32/sections.h"
#include "platform/win32/win32.h"

namespace mp::platform {
namespace {

OVERLAPPED place_of(size_t offset) {
  OVERLAPPED at = {};
  at.Offset = static_cast<DWORD>(offset);
  at.OffsetHigh = static_cast<DWORD>(uint64_t{offset} >> 32);
  return at;
}

constexpr DWORD kMostAtOnce = 1 << 30;
constexpr wchar_t kDigits[] = L"0123456789abcdef";

}  // namespace

Failure memory_file(const char*, int* fd) {
  wchar_t path[MAX_PATH + 64];
  DWORD length = GetTempPathW(MAX_PATH + 1, path);
  if (length == 0) return failed_call("GetTempPathW");
  if (length > MAX_PATH) return {ENAMETOOLONG, "GetTempPathW"};
  unsigned char random[16];
  if (Failure f = random_bytes(random, sizeof random)) return f;
  for (const wchar_t* c = L"multiproc-"; *c != 0; c++) path[length++] = *c;
  for (const unsigned char byte : random) {
    path[length++] = kDigits[byte >> 4];
    path[length++] = kDigits[byte & 15];
  }
  path[length] = 0;
  HANDLE file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE | DELETE, 0, nullptr, CREATE_NEW,
                            FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, nullptr);
  if (file == INVALID_HANDLE_VALUE) return failed_call("CreateFileW");
  *fd = number_of(file);
  return {};
}

Failure file_read_at(int fd, void* bytes, size_t size, size_t offset) {
  HANDLE file = handle_of(fd);
  if (front_of(file) != nullptr) return section_read(file, bytes, size, offset);
  auto* to = static_cast<unsigned char*>(bytes);
  while (size > 0) {
    OVERLAPPED at = place_of(offset);
    DWORD n = 0;
    const DWORD step = size < kMostAtOnce ? static_cast<DWORD>(size) : kMostAtOnce;
    if (!ReadFile(file, to, step, &n, &at)) return failed_call("ReadFile");
    if (n == 0) return {EIO, "ReadFile"};  // shorter than its header claims
    to += n;
    offset += n;
    size -= n;
  }
  return {};
}

Failure file_write_at(int fd, const void* bytes, size_t size, size_t offset) {
  HANDLE file = handle_of(fd);
  const auto* from = static_cast<const unsigned char*>(bytes);
  while (size > 0) {
    OVERLAPPED at = place_of(offset);
    DWORD n = 0;
    const DWORD step = size < kMostAtOnce ? static_cast<DWORD>(size) : kMostAtOnce;
    if (!WriteFile(file, from, step, &n, &at)) return failed_call("WriteFile");
    from += n;
    offset += n;
    size -= n;
  }
  return {};
}

Failure file_resize(int fd, size_t size) {
  // Not by moving the file's position: a child has the same one.
  FILE_END_OF_FILE_INFO end;
  end.EndOfFile.QuadPart = static_cast<LONGLONG>(size);
  if (!SetFileInformationByHandle(handle_of(fd), FileEndOfFileInfo, &end, sizeof end))
    return failed_call("SetFileInformationByHandle");
  return {};
}

Failure memory_size(int fd, size_t* size) {
  HANDLE file = handle_of(fd);
  if (const Front* front = front_of(file)) {
    *size = front->size;
    return {};
  }
  LARGE_INTEGER bytes;
  if (!GetFileSizeEx(file, &bytes)) return failed_call("GetFileSizeEx");
  *size = static_cast<size_t>(bytes.QuadPart);
  return {};
}

void directory_remove(const char*) {}

}  // namespace mp::platform
