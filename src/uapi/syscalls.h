// Names and numbers of the system calls of Linux 6.18, for the entries that an x86-64 kernel has.
// Tables are sorted by number; made from the kernel's own lists (arch/x86/entry/syscalls), checked against libseccomp in the tests.
#pragma once

#include <cstdint>
#include <span>

namespace immure::uapi {

struct SyscallName {
  uint16_t number;
  const char* name;
};
std::span<const SyscallName> syscalls_x86_64();
std::span<const SyscallName> syscalls_i386();

}  // namespace immure::uapi
