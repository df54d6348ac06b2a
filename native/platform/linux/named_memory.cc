// Named segments: objects in /dev/shm, and plain files. /dev/shm is opened by path: shm_open() is in another library
// before glibc 2.34, does nothing else, and knows neither O_TMPFILE nor linkat.
#include "platform/linux/descriptors.h"
#include "platform/platform.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "platform/linux/fault_guard.h"

namespace mp::platform {
namespace {

constexpr char kSharedDirectory[] = "/dev/shm";
/// What a file is called between creation and its renaming, where it must have a name: prefix, pid, start time, namespace.
constexpr char kTemporary[] = ".multiproc.new-";
constexpr size_t kReserveStep = size_t{64} << 20;
constexpr unsigned kNoReplace = 1;  // RENAME_NOREPLACE

/// The path of a place.
struct Path {
  char text[PATH_MAX];
  Failure failed;
  explicit Path(Place place) {
    const int n = place.is_path ? snprintf(text, sizeof text, "%s", place.name)
                                : snprintf(text, sizeof text, "%s/%s", kSharedDirectory, place.name);
    if (n < 0 || static_cast<size_t>(n) >= sizeof text) failed = {ENAMETOOLONG, "open"};
  }
  /// Cuts the last component off.
  void to_directory() {
    char* slash = strrchr(text, '/');
    if (slash == nullptr)
      strcpy(text, ".");
    else
      slash[slash == text ? 1 : 0] = 0;
  }
};

struct Descriptor {
  char text[64];
  explicit Descriptor(int fd) { snprintf(text, sizeof text, "/proc/self/fd/%d", fd); }
};

/// A name beside `place` that tells who is using it, for named_sweep().
Failure temporary_name(Place place, char (&out)[4096]) {
  Path directory(place);
  directory.to_directory();
  uint64_t random = 0;
  if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0) random = static_cast<uint64_t>(monotonic_now());
  const uint32_t pid = process_id();
  const int n =
      snprintf(out, sizeof out, "%s/%s%u-%llu-%llu-%llx", directory.text, kTemporary, pid,
               static_cast<unsigned long long>(process_start_time(pid)),
               static_cast<unsigned long long>(pid_namespace()), static_cast<unsigned long long>(random));
  if (n < 0 || static_cast<size_t>(n) >= sizeof out) return out[0] = 0, Failure{ENAMETOOLONG, "open"};
  return {};
}

bool is_tmpfs(int fd) {
  struct statfs s;
  return fstatfs(fd, &s) == 0 && s.f_type == TMPFS_MAGIC;
}

/// For file systems without fallocate: a zero in each block.
Failure write_zeros(int fd, size_t offset, size_t size) {
  static const char zeros[64 * 1024] = {};
  while (size > 0) {
    const size_t step = size < sizeof zeros ? size : sizeof zeros;
    if (Failure failed = file_write_at(fd, zeros, step, offset)) return failed;
    offset += step;
    size -= step;
  }
  return {};
}

}  // namespace

bool named_exists(Place place) {
  const Path path(place);
  struct stat s;
  return !path.failed && lstat(path.text, &s) == 0;
}

Failure named_prepare(Place place, uint32_t mode, Unnamed* out) {
  Path directory(place);
  if (directory.failed) return directory.failed;
  directory.to_directory();
  int fd = above_streams(open(directory.text, O_TMPFILE | O_RDWR | O_CLOEXEC, mode));
  // EISDIR, EOPNOTSUPP, EINVAL: this file system (or kernel) has no files without a name. Without /proc none gets one.
  const bool unsupported = fd < 0 && (errno == EISDIR || errno == EOPNOTSUPP || errno == EINVAL);
  if (fd < 0 && !unsupported) return {errno, "open"};
  static const bool has_proc = access("/proc/self/fd", F_OK) == 0;
  if (fd >= 0 && !has_proc) {
    close(fd);
    fd = -1;
  }
  if (fd < 0) {
    if (Failure failed = temporary_name(place, out->temporary)) return failed;
    fd = above_streams(open(out->temporary, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, mode));
    if (fd < 0) return out->temporary[0] = 0, Failure{errno, "open"};
  }
  out->fd = fd;
  if (fchmod(fd, mode) != 0 &&
      errno != EPERM) {  // what was asked for, whatever the umask; EPERM: modes are fixed there
    const Failure failed{errno, "fchmod"};
    return named_discard(out), failed;
  }
  return {};
}

Failure named_resize(int fd, size_t size, bool will_reserve) {
  struct rlimit limit;
  // Beyond this limit ftruncate does not fail but sends SIGXFSZ.
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && size > limit.rlim_cur) return {EFBIG, "ftruncate"};
  if (will_reserve) {
    struct statvfs s;
    // A tmpfs of unlimited size has no blocks.
    if (fstatvfs(fd, &s) == 0 && s.f_blocks > 0 && size / s.f_frsize > s.f_bavail)
      return {ENOSPC, "ftruncate"};
    if (is_tmpfs(fd) && !memory_fits(size)) return {ENOMEM, "ftruncate"};
  }
  return file_resize(fd, size);
}

Failure named_reserve(int fd, size_t offset, size_t size) {
  if (is_tmpfs(fd)) return memory_reserve(fd, offset, size);
  for (size_t done = 0; done < size;) {
    const size_t step = size - done < kReserveStep ? size - done : kReserveStep;
    if (fallocate(fd, 0, static_cast<off_t>(offset + done), static_cast<off_t>(step)) != 0) {
      if (errno == EINTR) continue;
      if (errno == EOPNOTSUPP || errno == ENOSYS) return write_zeros(fd, offset + done, size - done);
      return {errno, "fallocate"};
    }
    done += step;
  }
  return {};
}

Failure named_publish(Unnamed* made, Place place) {
  const Path path(place);
  if (path.failed) return path.failed;
  if (made->temporary[0] == 0) {
    if (linkat(AT_FDCWD, Descriptor(made->fd).text, AT_FDCWD, path.text, AT_SYMLINK_FOLLOW) != 0)
      return {errno, "link"};
    return {};
  }
  if (syscall(SYS_renameat2, AT_FDCWD, made->temporary, AT_FDCWD, path.text, kNoReplace) != 0) {
    if (errno != EINVAL && errno != ENOSYS) return {errno, "rename"};
    if (link(made->temporary, path.text) != 0) return {errno, "link"};
    unlink(made->temporary);
  }
  made->temporary[0] = 0;
  return {};
}

Failure named_replace(Unnamed* made, Place place) {
  const Path path(place);
  if (path.failed) return path.failed;
  if (made->temporary[0] == 0) {
    if (Failure failed = temporary_name(place, made->temporary)) return failed;
    if (linkat(AT_FDCWD, Descriptor(made->fd).text, AT_FDCWD, made->temporary, AT_SYMLINK_FOLLOW) != 0)
      return made->temporary[0] = 0, Failure{errno, "link"};
  }
  if (rename(made->temporary, path.text) != 0) return {errno, "rename"};
  made->temporary[0] = 0;
  return {};
}

void named_discard(Unnamed* made) {
  if (made->temporary[0] != 0) unlink(made->temporary);
  if (made->fd >= 0) close(made->fd);
  made->fd = -1;
  made->temporary[0] = 0;
}

Failure named_open(Place place, bool writable, int* out) {
  const Path path(place);
  if (path.failed) return path.failed;
  // O_NONBLOCK: the name may be a pipe's, whose opening would wait.
  const int fd = above_streams(
      open(path.text, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (fd < 0) return {errno == ENXIO ? ENODEV : errno, "open"};
  struct stat s;
  Failure failed;
  if (fstat(fd, &s) != 0)
    failed = {errno, "fstat"};
  else if (!S_ISREG(s.st_mode))
    failed = {ENODEV, "open"};
  if (failed)
    close(fd);
  else
    *out = fd;
  return failed;
}

Failure named_facts(int fd, FileFacts* out) {
  struct stat s;
  if (fstat(fd, &s) != 0) return {errno, "fstat"};
  *out = {s.st_dev, s.st_ino, static_cast<uint64_t>(s.st_size)};
  return {};
}

Failure named_unlink(Place place, const FileFacts* expected) {
  const Path path(place);
  if (path.failed) return path.failed;
  if (expected != nullptr) {
    struct stat s;
    if (lstat(path.text, &s) != 0) return {errno, "unlink"};
    if (s.st_dev != expected->device || s.st_ino != expected->inode) return {ENOENT, "unlink"};
  }
  return unlink(path.text) == 0 ? Failure{} : Failure{errno, "unlink"};
}

Failure named_list(void (*each)(void* context, const char* name), void* context) {
  DIR* directory = opendir(kSharedDirectory);
  if (directory == nullptr) return errno == ENOENT ? Failure{} : Failure{errno, "opendir"};
  while (const dirent* entry = readdir(directory)) each(context, entry->d_name);
  closedir(directory);
  return {};
}

void named_sweep(Place place) {
  Path path(place);
  if (path.failed) return;
  path.to_directory();
  DIR* directory = opendir(path.text);
  if (directory == nullptr) return;
  while (const dirent* entry = readdir(directory)) {
    unsigned pid;
    unsigned long long started, spaced;
    if (strncmp(entry->d_name, kTemporary, sizeof kTemporary - 1) != 0) continue;
    if (sscanf(entry->d_name + sizeof kTemporary - 1, "%u-%llu-%llu-", &pid, &started, &spaced) != 3)
      continue;
    // Pids of another namespace mean nothing here: theirs to sweep.
    if (spaced == pid_namespace() && process_start_time(pid) != started)
      unlinkat(dirfd(directory), entry->d_name, 0);
  }
  closedir(directory);
}

Failure named_lock(int fd) {
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return {};
  return {errno == EWOULDBLOCK ? EBUSY : errno, "flock"};
}

Failure named_map(int fd, size_t size, bool read_only, void** base, uint32_t* guard) {
  // Read-only is private: it shows the file as long as nothing is written, and a store that gets through stays here.
  void* at = read_only ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, fd, 0)
                       : mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) return {errno, "mmap"};
  if (Failure failed = guard_add(at, size, read_only, guard)) {
    munmap(at, size);
    return failed;
  }
  *base = at;
  return {};
}

void named_unmap(void* base, size_t size, uint32_t guard) {
  guard_remove(guard);
  munmap(base, size);
}

Failure named_sync(void* base, size_t size) {
  return msync(base, size, MS_SYNC) == 0 ? Failure{} : Failure{errno, "msync"};
}

}  // namespace mp::platform
