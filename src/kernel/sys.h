// Raw system calls: no libc, no errno, no cancellation points, no allocation. A result in [-4095, -1] is a
// negated errno. Everything here is async-signal-safe and safe in a CLONE_VM child. Source: syscall(2) and the
// kernel's per-architecture calling convention.
#pragma once

#include <asm/unistd.h>
#include <cstddef>
#include <cstdint>

namespace immure::sys {

#if defined(__x86_64__)
inline long call(long nr, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}
#else
#error "immure knows x86-64 only so far: its filters, its start code and its tests are of that architecture"
#endif

template <class T>
inline long arg(T* pointer) {
  return reinterpret_cast<long>(pointer);
}

inline bool failed(long result) { return result < 0 && result > -4096; }

inline long open(int dir, const char* path, int flags, unsigned mode = 0) {
  return call(__NR_openat, dir, arg(path), flags, mode);
}
inline long close(int fd) { return call(__NR_close, fd); }
inline long read(int fd, void* buffer, size_t size) {
  return call(__NR_read, fd, arg(buffer), static_cast<long>(size));
}
inline long write(int fd, const void* buffer, size_t size) {
  return call(__NR_write, fd, arg(buffer), static_cast<long>(size));
}
[[noreturn]] inline void exit_group(int status) {
  for (;;) call(__NR_exit_group, status);
}

// A copy of the caller with a stack of its own: runs fn(arg) there and exits with its result. Both share
// memory (CLONE_VM) when `args` says so, hence the separate stack. Returns the child's pid, or -errno.
// `args` is a clone_args of `size` bytes whose stack fields are filled in.
long clone_call(void* args, size_t size, int (*fn)(void*), void* argument);

}  // namespace immure::sys
