#include "uapi/syscalls.h"

namespace immure::uapi {
namespace {

constexpr SyscallName kX86_64[] = {
#include "uapi/syscalls_x86_64.inc"
};
constexpr SyscallName kI386[] = {
#include "uapi/syscalls_i386.inc"
};
constexpr SyscallName kX32[] = {
#include "uapi/syscalls_x32.inc"
};

constexpr bool is_sorted(std::span<const SyscallName> table) {
  for (size_t i = 1; i < table.size(); i++)
    if (table[i - 1].number >= table[i].number) return false;
  return true;
}
static_assert(is_sorted(kX86_64) && is_sorted(kI386) && is_sorted(kX32));

}  // namespace

std::span<const SyscallName> syscalls_x86_64() { return kX86_64; }
std::span<const SyscallName> syscalls_i386() { return kI386; }
std::span<const SyscallName> syscalls_x32() { return kX32; }

}  // namespace immure::uapi
