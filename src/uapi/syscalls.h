// Names and numbers of the system calls of Linux 6.18, for the entries that an x86-64 kernel has.
// The tables (*.inc) are plain data, sorted by number: the numbers of arch/x86/entry/syscalls, compared with
// libseccomp's in the tests. A new kernel's calls are new lines at their ends.
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
// Only the calls that x32 numbers in its own way (512 to 547, here without the x32 bit); the others have
// x86-64's numbers.
std::span<const SyscallName> syscalls_x32();

// Set in the number of a call that comes through the x32 entry; the architecture is x86-64's then.
constexpr uint32_t kX32Bit = 0x40000000;

}  // namespace immure::uapi
