#include <linux/audit.h>

#include <algorithm>

#include "filter/filter.h"
#include "uapi/syscalls.h"

namespace immure::filter {

bool holds(const ArgTest& test, uint64_t argument) {
  uint64_t value = test.value, mask = test.mask;
  if (test.low32) {
    argument = static_cast<uint32_t>(argument);
    value = static_cast<uint32_t>(value);
    mask = static_cast<uint32_t>(mask);
  }
  switch (test.op) {
    case ArgTest::Op::Eq: return argument == value;
    case ArgTest::Op::Ne: return argument != value;
    case ArgTest::Op::Lt: return argument < value;
    case ArgTest::Op::Le: return argument <= value;
    case ArgTest::Op::Gt: return argument > value;
    case ArgTest::Op::Ge: return argument >= value;
    case ArgTest::Op::MaskedEq: return (argument & mask) == value;
  }
  return false;
}

namespace {

bool holds(const Rule& rule, const seccomp_data& call) {
  return std::all_of(rule.tests.begin(), rule.tests.end(),
                     [&](const ArgTest& test) { return holds(test, call.args[test.index]); });
}

const ArchPolicy* find(const Policy& policy, const seccomp_data& call) {
  Arch arch = Arch::X86_64;
  if (call.arch == AUDIT_ARCH_I386) {
    arch = Arch::I386;
  } else if (call.arch != AUDIT_ARCH_X86_64) {
    return nullptr;
  } else if (static_cast<uint32_t>(call.nr) >= uapi::kX32Bit) {
    arch = Arch::X32;
  }
  for (const ArchPolicy& candidate : policy.arches)
    if (candidate.arch == arch) return &candidate;
  return nullptr;
}

}  // namespace

Verdict decide(const Policy& policy, const seccomp_data& call) {
  const ArchPolicy* arch = find(policy, call);
  if (arch == nullptr) return policy.foreign;
  auto nr = static_cast<uint32_t>(call.nr);
  for (const CallPolicy& listed : arch->calls) {
    if (listed.nr != nr) continue;
    for (const Rule& rule : listed.rules)
      if (holds(rule, call)) return rule.verdict;
    return listed.otherwise;
  }
  return nr >= arch->first_unknown ? arch->unknown : arch->unlisted;
}

}  // namespace immure::filter
