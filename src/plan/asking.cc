#include "plan/asking.h"

#include <linux/audit.h>

#include <algorithm>

#include "filter/filter.h"
#include "uapi/syscalls.h"

namespace immure {
namespace {

filter::Arch arch_of(const seccomp_data& call) {
  if (call.arch == AUDIT_ARCH_I386) return filter::Arch::I386;
  return (static_cast<uint32_t>(call.nr) & uapi::kX32Bit) != 0 ? filter::Arch::X32 : filter::Arch::X86_64;
}

}  // namespace

// Null: it cannot be opened.
const filter::Policy* Questions::opened(std::string_view name) {
  for (const auto& [known, policy] : opened_)
    if (known == name) return &policy;
  filter::Options options = *plan_.asks;
  options.rules.emplace_back(name, true);
  auto policy = filter::default_policy(options);
  return policy ? &opened_.emplace_back(name, std::move(*policy)).second : nullptr;
}

bool Questions::may_be_about(const seccomp_data& call) {
  const std::string_view name = filter::syscall_name(arch_of(call), static_cast<uint32_t>(call.nr));
  uint64_t args[6];
  std::copy(std::begin(call.args), std::end(call.args), args);
  if (!plan_.asks || name.empty() || filter::askable(name, args) == nullptr ||
      filter::is_denied_by_name(*plan_.asks, name))
    return false;
  if (!plan_.asks_of_sockets && (name == "socket" || name == "socketpair")) return false;
  const filter::Policy* policy = opened(name);
  return policy != nullptr && filter::decide(*policy, call) == filter::kAllow;
}

}  // namespace immure
