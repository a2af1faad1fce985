// Policies and calls for tests and fuzzers: any bytes are a policy; the calls lie around every border in it.
#pragma once

#include <linux/audit.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "filter/filter.h"

namespace immure::filter {

class PolicyBytes {
 public:
  explicit PolicyBytes(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  Policy policy() {
    Policy policy;
    policy.foreign = verdict();
    for (Arch arch : {Arch::X86_64, Arch::I386, Arch::X32})
      if (arch == Arch::X86_64 || take(3) == 0) policy.arches.push_back(arch_policy(arch));
    return policy;
  }

 private:
  uint8_t byte() { return at_ < bytes_.size() ? bytes_[at_++] : uint8_t{0}; }
  uint32_t take(uint32_t below) { return byte() % below; }

  Verdict verdict() {
    constexpr Verdict kVerdicts[] = {kAllow, errno_verdict(1), errno_verdict(38), SECCOMP_RET_KILL_PROCESS,
                                     SECCOMP_RET_USER_NOTIF, SECCOMP_RET_LOG};
    return kVerdicts[take(6)];
  }

  // Few values, so that tests of one argument meet each other; borders of the 32-bit halves among them.
  uint64_t value() {
    uint64_t small[] = {0, 1, 2, 7, 0x10, 0x7e020000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    uint64_t low = small[take(10)];
    uint64_t high = take(3) == 0 ? small[take(10)] : 0;
    return high << 32 | low;
  }

  ArgTest test() {
    ArgTest test;
    test.op = static_cast<ArgTest::Op>(take(7));
    test.index = static_cast<uint8_t>(take(take(2) == 0 ? 2 : 6));
    test.low32 = take(2) == 0;
    test.value = value();
    test.mask = take(2) == 0 ? value() : ~uint64_t{0};
    return test;
  }

  CallPolicy call(uint32_t nr) {
    CallPolicy call;
    call.nr = nr;
    for (uint32_t rules = take(2) == 0 ? 0 : take(6); rules > 0; rules--) {
      Rule rule;
      for (uint32_t tests = take(4); tests > 0; tests--) rule.tests.push_back(test());
      rule.verdict = verdict();
      call.rules.push_back(rule);
    }
    call.otherwise = verdict();
    return call;
  }

  ArchPolicy arch_policy(Arch arch) {
    uint32_t nr = arch == Arch::X32 ? 0x40000000 : 0;
    ArchPolicy policy{arch, {}, verdict(), nr + take(64) * 8, verdict()};
    for (uint32_t calls = take(40); calls > 0; calls--) {
      nr += take(4) == 0 ? 1 + take(60) : 1;
      policy.calls.push_back(call(nr));
    }
    return policy;
  }

  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
};

inline uint32_t audit_arch(Arch arch) { return arch == Arch::I386 ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64; }

inline seccomp_data data_of(uint32_t arch, uint32_t nr) {
  seccomp_data call{};
  call.arch = arch;
  call.nr = static_cast<int>(nr);
  call.instruction_pointer = 0x1122334455667788;
  return call;
}

// Calls that differ from each other in what the policy looks at. `check` is called with each.
template <class Check>
void for_each_border(const Policy& policy, Check check) {
  for (uint32_t arch : {uint32_t{AUDIT_ARCH_AARCH64}, 0U, uint32_t{AUDIT_ARCH_X86_64}, uint32_t{AUDIT_ARCH_I386}})
    for (uint32_t nr : {0U, 1U, 0x3fffffffU, 0x40000000U, 0x40000001U, 0x7fffffffU, 0x80000000U, 0xffffffffU})
      check(data_of(arch, nr));
  for (const ArchPolicy& arch : policy.arches) {
    for (uint32_t offset : {0U, 1U, ~0U}) check(data_of(audit_arch(arch.arch), arch.first_unknown + offset));
    for (const CallPolicy& listed : arch.calls) {
      for (uint32_t offset : {0U, 1U, ~0U}) check(data_of(audit_arch(arch.arch), listed.nr + offset));
      std::vector<uint64_t> values = {0, ~uint64_t{0}};
      for (const Rule& rule : listed.rules) {
        for (const ArgTest& test : rule.tests) {
          for (uint64_t v : {test.value, test.value + 1, test.value - 1, test.value | uint64_t{1} << 32,
                             test.value & 0xffffffff, test.value | ~test.mask})
            values.push_back(v);
        }
      }
      std::sort(values.begin(), values.end());
      values.erase(std::unique(values.begin(), values.end()), values.end());
      seccomp_data call = data_of(audit_arch(arch.arch), listed.nr);
      // Every value in every place, before the background of every other value; two places at once for the first.
      for (uint64_t background : values) {
        std::fill(std::begin(call.args), std::end(call.args), background);
        check(call);
        for (uint64_t value : values) {
          for (size_t i = 0; i < 2; i++) {
            call.args[i] = value;
            check(call);
            call.args[i] = background;
          }
        }
      }
    }
  }
}

}  // namespace immure::filter
