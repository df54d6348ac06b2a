// Anonymous shared memory: sections of the page file, without a name, so that nothing outlives its last user.
//
// A section is reserved as a whole and committed piece by piece: what memory_reserve commits is there for everybody. The rest
// is committed by whoever touches it first: a handler of exceptions that is asked before all others does it, for addresses
// in our own views only, and the instruction is done again. (On Wine a page that another process committed comes the same
// way.) Windows takes no page of a section back while somebody has the section.
//
// Prototype page table entries, 8 bytes a page, are made with the section: it is never larger than all memory and page files.
#include <errno.h>
#include <string.h>

#include "platform/win32/sections.h"

namespace mp::platform {
namespace {

constexpr size_t kUnit = 65536;
constexpr size_t kUncheckedBytes = size_t{1} << 20;

/// Commits the unit around an address of ours.
bool commit_around(void* address) {
  Mapping m;
  if (!mapping_find(address, &m)) return false;
  const auto distance = static_cast<size_t>(static_cast<unsigned char*>(address) - m.base);
  const size_t from = distance / kUnit * kUnit, bytes = m.size - from < kUnit ? m.size - from : kUnit;
  return VirtualAlloc(m.base + from, bytes, MEM_COMMIT, PAGE_READWRITE) != nullptr;
}

LONG CALLBACK on_exception(EXCEPTION_POINTERS* what) {
  const EXCEPTION_RECORD& r = *what->ExceptionRecord;
  constexpr ULONG_PTR kRead = 0, kWrite = 1;
  if (r.ExceptionCode != EXCEPTION_ACCESS_VIOLATION || r.NumberParameters < 2 ||
      (r.ExceptionInformation[0] != kRead && r.ExceptionInformation[0] != kWrite))
    return EXCEPTION_CONTINUE_SEARCH;
  return commit_around(reinterpret_cast<void*>(r.ExceptionInformation[1])) ? EXCEPTION_CONTINUE_EXECUTION
                                                                           : EXCEPTION_CONTINUE_SEARCH;
}

void commit_when_touched() {
  static const void* handler = AddVectoredExceptionHandler(1, on_exception);
  (void)handler;
}

uint64_t all_memory() {
  MEMORYSTATUSEX status;
  status.dwLength = sizeof status;
  return GlobalMemoryStatusEx(&status) ? status.ullTotalPageFile : 0;
}

/// A view of part of a segment, from a unit on.
void* view_of(HANDLE section, size_t offset, size_t size) {
  const uint64_t from = uint64_t{kFrontBytes} + offset;
  return MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, static_cast<DWORD>(from >> 32),
                       static_cast<DWORD>(from), size);
}

}  // namespace

bool memory_fits(size_t size) {
  if (size <= kUncheckedBytes) return true;
  MEMORYSTATUSEX status;
  status.dwLength = sizeof status;
  return !GlobalMemoryStatusEx(&status) || size <= status.ullAvailPageFile;
}

Failure memory_create(const char* label, size_t size, int* fd) {
  if (size > all_memory() + (uint64_t{2} << 30)) return {ENOMEM, "CreateFileMappingW"};
  uint64_t id;
  if (Failure f = random_bytes(&id, sizeof id)) return f;
  const uint64_t bytes = uint64_t{kFrontBytes} + size;
  HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE | SEC_RESERVE,
                                      static_cast<DWORD>(bytes >> 32), static_cast<DWORD>(bytes), nullptr);
  if (section == nullptr) return failed_call("CreateFileMappingW");
  void* view = MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, kFrontBytes);
  if (view == nullptr || VirtualAlloc(view, sizeof(Front), MEM_COMMIT, PAGE_READWRITE) == nullptr) {
    const Failure failed = failed_call("VirtualAlloc");
    if (view != nullptr) UnmapViewOfFile(view);
    CloseHandle(section);
    return failed;
  }
  auto* front = static_cast<Front*>(view);
  front->id = id;
  front->size = size;
  for (size_t i = 0; i + 1 < sizeof front->label && label[i] != 0; i++) front->label[i] = label[i];
  front->magic = kFrontMagic;
  UnmapViewOfFile(view);
  *fd = number_of(section);
  return {};
}

Failure memory_map(int fd, size_t size, void** base) { return memory_map_part(fd, 0, size, base); }

Failure memory_map_part(int fd, size_t offset, size_t size, void** base) {
  commit_when_touched();
  HANDLE section = handle_of(fd);
  Front* front = front_of(section);
  if (front == nullptr) return {EBADF, "MapViewOfFile"};
  void* view = view_of(section, offset, size);
  if (view == nullptr) return failed_call("MapViewOfFile");
  if (!mapping_add({static_cast<unsigned char*>(view), size, offset, front})) {
    UnmapViewOfFile(view);
    return {ENOMEM, "MapViewOfFile"};
  }
  *base = view;
  return {};
}

Failure memory_map_over(int, size_t, void*, size_t) { return {ENOSYS, "memory_map_over"}; }

void memory_unmap(void* base, size_t) {
  mapping_remove(base);
  UnmapViewOfFile(base);
}

Failure memory_reserve(int fd, size_t offset, size_t size) {
  if (!memory_fits(size)) return {ENOMEM, "VirtualAlloc"};
  const size_t before = offset % kUnit;
  void* view = view_of(handle_of(fd), offset - before, before + size);
  if (view == nullptr) return failed_call("MapViewOfFile");
  Failure failed;
  if (VirtualAlloc(static_cast<unsigned char*>(view) + before, size, MEM_COMMIT, PAGE_READWRITE) == nullptr)
    failed = failed_call("VirtualAlloc");
  UnmapViewOfFile(view);
  return failed;
}

// Zeroing them would have all of them made first, also those that nobody ever touched. As it is, they stay with their spare
// slot, and who makes a block there zeroes what it needs (core/blocks.cc, dirty).
Failure memory_discard(int, size_t, size_t) { return {ENOSYS, "multiproc"}; }

void memory_populate(void* at, size_t size) {
  Mapping m;
  if (mapping_find(at, &m)) VirtualAlloc(at, size, MEM_COMMIT, PAGE_READWRITE);
}

Failure memory_open_of(uint32_t pid, int other, const char* label, int* fd) {
  constexpr Failure none{ENOENT, "DuplicateHandle"};
  if (other < kFirstHandle)
    return none;  // what a process inherited has its other number outside: descriptor_in_others
  HANDLE process = OpenProcess(PROCESS_DUP_HANDLE, FALSE, pid);
  if (process == nullptr)
    return GetLastError() == ERROR_INVALID_PARAMETER ? none : failed_call("OpenProcess");
  HANDLE section = nullptr;
  const bool got = DuplicateHandle(process, handle_of(other), GetCurrentProcess(), &section,
                                   FILE_MAP_READ | FILE_MAP_WRITE | SECTION_QUERY, FALSE, 0);
  CloseHandle(process);
  if (!got) return none;
  const Front* front = front_of(section);
  if (front != nullptr && strcmp(front->label, label) == 0) {
    *fd = number_of(section);
    return {};
  }
  CloseHandle(section);
  return none;
}

}  // namespace mp::platform
