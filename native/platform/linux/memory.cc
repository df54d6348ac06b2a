// Anonymous shared memory: sealed memfds. Nothing has a name, so nothing outlives its last user.
#include "platform/linux/descriptors.h"
#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <initializer_list>

namespace mp::platform {
namespace {

constexpr unsigned kCloexec = 1, kAllowSealing = 2, kNoexecSeal = 8;  // MFD_…; our libc floor lacks the last
constexpr int kAddSeals = 1033, kGetSeals = 1034, kSealSeal = 1, kSealShrink = 2, kSealGrow = 4;
constexpr size_t kReserveStep = size_t{64} << 20;  // a signal can be answered between two
constexpr size_t kUncheckedBytes = size_t{1} << 20;

int memfd(const char* label, unsigned flags) {
  int fd = static_cast<int>(syscall(SYS_memfd_create, label, flags | kNoexecSeal));
  if (fd < 0 && errno == EINVAL)
    fd = static_cast<int>(syscall(SYS_memfd_create, label, flags));  // before Linux 6.3
  return above_streams(fd);
}

/// A number in a small file of /proc or /sys; false if it has none ("max") or cannot be read.
bool read_number(const char* path, const char* key, uint64_t* out) {
  char text[4096];
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return false;
  text[n] = 0;
  const char* at = key ? strstr(text, key) : text;
  if (at == nullptr) return false;
  at += key ? strlen(key) : 0;
  char* end;
  *out = strtoull(at, &end, 10);
  return end != at;
}

/// What this process's control group, and each above it, still allows. Reclaimable page cache counts as free.
uint64_t cgroup_available() {
  char text[1024], dir[1200] = "";
  const int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return UINT64_MAX;
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return UINT64_MAX;
  text[n] = 0;
  uint64_t least = UINT64_MAX;
  for (const char* version : {"0::", ":memory:"}) {
    char* at = strstr(text, version);
    if (at == nullptr || (version[0] == '0' && at != text && at[-1] != '\n')) continue;
    at += strlen(version);
    const bool v2 = version[0] == '0';
    snprintf(dir, sizeof dir, "%s%.*s", v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory",
             static_cast<int>(strcspn(at, "\n")), at);
    for (const size_t root = strlen(v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory"); strlen(dir) >= root;) {
      char path[1300];
      uint64_t limit, used, cache = 0;
      snprintf(path, sizeof path, "%s/%s", dir, v2 ? "memory.max" : "memory.limit_in_bytes");
      const bool limited = read_number(path, nullptr, &limit);
      snprintf(path, sizeof path, "%s/%s", dir, v2 ? "memory.current" : "memory.usage_in_bytes");
      if (limited && read_number(path, nullptr, &used)) {
        snprintf(path, sizeof path, "%s/memory.stat", dir);
        read_number(path, "\ninactive_file ", &cache);
        const uint64_t held = used > cache ? used - cache : 0;
        const uint64_t left = limit > held ? limit - held : 0;
        if (left < least) least = left;
      }
      char* slash = strrchr(dir, '/');
      if (slash == nullptr || static_cast<size_t>(slash - dir) < root) break;
      *slash = 0;
    }
  }
  return least;
}

}  // namespace

bool memory_fits(size_t size) {
  uint64_t free_kib;
  if (size <= kUncheckedBytes) return true;
  if (read_number("/proc/meminfo", "MemAvailable:", &free_kib) && size > free_kib * 1024) return false;
  return size <= cgroup_available();
}

Failure memory_create(const char* label, size_t size, int* out) {
  const int fd = memfd(label, kCloexec | kAllowSealing);
  if (fd < 0) return {errno, "memfd_create"};
  Failure failed;
  if (ftruncate(fd, static_cast<off_t>(size)) != 0)
    failed = {errno, "ftruncate"};
  else if (fcntl(fd, kAddSeals, kSealShrink | kSealGrow | kSealSeal) != 0)
    failed = {errno, "fcntl(F_ADD_SEALS)"};
  if (failed)
    close(fd);
  else
    *out = fd;
  return failed;
}

Failure memory_file(const char* label, int* out) {
  const int fd = memfd(label, kCloexec);
  if (fd < 0) return {errno, "memfd_create"};
  *out = fd;
  return {};
}

Failure memory_map(int fd, size_t size, void** base) {
  void* at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) return {errno, "mmap"};
  *base = at;
  return {};
}

Failure memory_map_part(int fd, size_t offset, size_t size, void** base) {
  void* at =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, static_cast<off_t>(offset));
  if (at == MAP_FAILED) return {errno, "mmap"};
  madvise(at, size, MADV_DONTDUMP);
  *base = at;
  return {};
}

Failure memory_map_over(int fd, size_t offset, void* at, size_t size) {
  void* got = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, static_cast<off_t>(offset));
  return got == MAP_FAILED ? Failure{errno, "mmap"} : Failure{};
}

void memory_unmap(void* base, size_t size) { munmap(base, size); }

Failure memory_size(int fd, size_t* size) {
  struct stat s;
  if (fstat(fd, &s) != 0) return {errno, "fstat"};
  *size = static_cast<size_t>(s.st_size);
  return {};
}

Failure memory_reserve(int fd, size_t offset, size_t size) {
  if (!memory_fits(size)) return {ENOMEM, "fallocate"};
  for (size_t done = 0; done < size;) {
    const size_t step = size - done < kReserveStep ? size - done : kReserveStep;
    if (fallocate(fd, 0, static_cast<off_t>(offset + done), static_cast<off_t>(step)) != 0) {
      if (errno == EINTR) continue;
      return {errno == ENOSPC ? ENOMEM : errno, "fallocate"};
    }
    done += step;
  }
  return {};
}

Failure memory_discard(int fd, size_t offset, size_t size) {
  while (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                   static_cast<off_t>(size)) != 0) {
    if (errno != EINTR) return {errno, "fallocate"};
  }
  return {};
}

void memory_populate(void* at, size_t size) {
#ifdef MADV_POPULATE_WRITE
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE)), start = reinterpret_cast<uintptr_t>(at);
  const uintptr_t from = (start + page - 1) & ~(page - 1), to = (start + size) & ~(page - 1);
  if (from < to) madvise(reinterpret_cast<void*>(from), to - from, MADV_POPULATE_WRITE);
#endif
}

Failure memory_open_of(uint32_t pid, int other, const char* label, int* out) {
  constexpr Failure none{ENOENT, "open"};
  char path[64], target[128], expected[128];
  snprintf(path, sizeof path, "/proc/%u/fd/%d", pid, other);
  // Opening may do something to whatever else lies there (a terminal, a pipe's other end): looked at first.
  const ssize_t n = readlink(path, target, sizeof target - 1);
  if (n < 0) return {errno == ESRCH ? ENOENT : errno, "readlink"};
  target[n] = 0;
  snprintf(expected, sizeof expected, "/memfd:%s (deleted)", label);
  struct stat s;
  if (strcmp(target, expected) != 0 || stat(path, &s) != 0 || !S_ISREG(s.st_mode)) return none;
  const int fd = above_streams(open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (fd < 0) return {errno == ESRCH ? ENOENT : errno, "open"};
  constexpr int seals = kSealSeal | kSealShrink | kSealGrow;
  const int sealed = fcntl(fd, kGetSeals);
  if (sealed >= 0 && (sealed & seals) == seals) {
    *out = fd;
    return {};
  }
  close(fd);
  return none;
}

}  // namespace mp::platform
