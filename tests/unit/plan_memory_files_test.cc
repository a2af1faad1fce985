// What may be written is not run, memory files neither: by the kernel's setting where root may set it, else
// by the filter.
#include <gtest/gtest.h>
#include <linux/audit.h>

#include <algorithm>
#include <cerrno>

#include "filter/filter.h"
#include "plan/compile.h"
#include "support/features.h"

namespace immure {
namespace {

using filter::Arch;

Plan planned(const JailSpec& spec, const Features& features, const Host& host) {
  char* environment[] = {nullptr};
  auto plan = compile(spec, features, host, RealHostFiles{}, environment);
  EXPECT_TRUE(plan) << (plan ? "" : format(plan.error()));
  return plan ? std::move(*plan) : Plan{};
}

bool sets(const Plan& plan) {
  return std::any_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
    return std::string_view(plan.text(step.s)).ends_with("memfd_noexec");
  });
}

// 0: they can be made.
int error_of(const Plan& plan) {
  seccomp_data call{};
  call.arch = AUDIT_ARCH_X86_64;
  call.nr = static_cast<int>(*filter::syscall_number(Arch::X86_64, "memfd_create"));
  auto verdict = filter::evaluate(plan.filters[0], call);
  EXPECT_TRUE(verdict);
  return verdict.value_or(0) == filter::kAllow ? 0 : static_cast<int>(verdict.value_or(0) & 0xffff);
}

TEST(MemoryFiles, AreNotRunWhoeverStartsTheJail_S27) {
  JailSpec plain, without_user_ns, changed;
  for (JailSpec* spec : {&plain, &without_user_ns, &changed}) spec->argv = {"/bin/true"};
  without_user_ns.need[static_cast<size_t>(Layer::UserNs)] = Need::Off;
  changed.syscalls.push_back({"ptrace", true});
  const Host root = test::root_host(), user = test::user_host();
  for (const JailSpec& spec : {plain, without_user_ns, changed}) {
    EXPECT_TRUE(sets(planned(spec, test::linux_6_18(), root)));
    EXPECT_EQ(error_of(planned(spec, test::linux_6_18(), root)), 0);
    EXPECT_EQ(error_of(planned(spec, test::linux_6_1(), root)), ENOSYS) << "before 6.3";
  }
  for (const JailSpec& spec : {plain, changed}) {
    EXPECT_FALSE(sets(planned(spec, test::linux_6_18(), user)));
    EXPECT_EQ(error_of(planned(spec, test::linux_6_18(), user)), ENOSYS);
  }
}

TEST(MemoryFiles, AreThereForWhoAsks) {
  JailSpec weakened, allowed;
  weakened.argv = allowed.argv = {"/bin/true"};
  weakened.weakened[static_cast<size_t>(Weaken::MemfdExec)] = true;
  allowed.syscalls.push_back({"memfd_create", true});
  for (const Host& host : {test::root_host(), test::user_host()})
    for (const JailSpec& spec : {weakened, allowed})
      EXPECT_EQ(error_of(planned(spec, test::linux_6_18(), host)), 0);
}

}  // namespace
}  // namespace immure
