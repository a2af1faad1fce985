// Which namespaces a process is in. Asked of a descriptor of the process where the kernel answers that (ioctl_pidfd(2),
// 6.11), else by the links of /proc/PID/ns: each path into procfs makes entries that are taken away again when the
// process is waited for. Either asks for the right to read the process (ptrace(2), PTRACE_MODE_READ_FSCREDS).
#pragma once

#include <cstdint>

#include "base/fd.h"

namespace immure {

class Namespaces {
 public:
  static Namespaces own();
  // `pidfd` is the caller's, and stays open as long as this is used; `pid` is the same process.
  static Namespaces of(int pidfd, int pid);

  // `name` as in /proc/PID/ns. 0: cannot be seen.
  uint64_t inode(const char* name) const;
  // The namespace itself, which exists as long as this is open. None: the kernel gives none by descriptor.
  UniqueFd open(const char* name) const;

 private:
  int pidfd_ = -1, pid_ = 0;   // pid 0: the caller
  UniqueFd own_;
};

}  // namespace immure
