// The stat family for prebuilt Linux files, straight from the kernel.
//
// Before 2.33 glibc has these in libc_nonshared.a, and zig's copy of that brings an errno of its own: callers would read
// another one, and its static TLS keeps musl from loading the file at all. The kernel's struct is libc's on both machines.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

static_assert(sizeof(long) == 8, "32-bit systems convert");

extern "C" {
int fstatat64(int folder, const char* path, void* to, int flags) {
  return static_cast<int>(syscall(SYS_newfstatat, folder, path, to, flags));
}
int fstat64(int fd, void* to) { return static_cast<int>(syscall(SYS_fstat, fd, to)); }
int stat64(const char* path, void* to) { return fstatat64(AT_FDCWD, path, to, 0); }
int lstat64(const char* path, void* to) { return fstatat64(AT_FDCWD, path, to, AT_SYMLINK_NOFOLLOW); }
int fstatat(int folder, const char* path, void* to, int flags) { return fstatat64(folder, path, to, flags); }
int fstat(int fd, void* to) { return fstat64(fd, to); }
int stat(const char* path, void* to) { return stat64(path, to); }
int lstat(const char* path, void* to) { return lstat64(path, to); }
}
