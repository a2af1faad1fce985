#include "base/text.h"
#include "filter/filter.h"
#include "filter/sets.h"
#include "uapi/syscalls.h"

namespace immure::filter {
namespace {

using Table = std::span<const uapi::SyscallName>;

Table table(Arch arch) {
  switch (arch) {
    case Arch::X86_64: return uapi::syscalls_x86_64();
    case Arch::I386: return uapi::syscalls_i386();
    case Arch::X32: return uapi::syscalls_x32();
  }
  return {};
}

std::string_view find_number(Table names, uint32_t nr) {
  size_t low = 0, high = names.size();
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (names[middle].number < nr) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < names.size() && names[low].number == nr ? names[low].name : std::string_view();
}

std::optional<uint32_t> find_name(Table names, std::string_view name) {
  for (const uapi::SyscallName& call : names)
    if (name == call.name) return call.number;
  return std::nullopt;
}

}  // namespace

std::string_view syscall_name(Arch arch, uint32_t nr) {
  if (arch != Arch::X32) return find_number(table(arch), nr);
  if ((nr & uapi::kX32Bit) == 0) return {};
  nr &= ~uapi::kX32Bit;
  std::string_view own = find_number(uapi::syscalls_x32(), nr);
  return own.empty() ? find_number(uapi::syscalls_x86_64(), nr) : own;
}

std::optional<uint32_t> syscall_number(Arch arch, std::string_view name) {
  std::optional<uint32_t> nr = find_name(table(arch), name);
  if (arch != Arch::X32) return nr;
  if (!nr) nr = find_name(uapi::syscalls_x86_64(), name);
  if (nr) *nr |= uapi::kX32Bit;
  return nr;
}

uint32_t syscall_limit(Arch arch) {
  uint32_t last = table(arch).back().number;
  return arch == Arch::X32 ? uapi::kX32Bit | (last + 1) : last + 1;
}

std::string nearest_name(std::string_view wrong) {
  std::vector<std::string_view> names;
  for (Arch arch : {Arch::X86_64, Arch::I386})
    for (const uapi::SyscallName& call : table(arch)) names.emplace_back(call.name);
  for (std::string_view set : named_sets()) names.push_back(set);
  return std::string(nearest(wrong, names));
}

}  // namespace immure::filter
