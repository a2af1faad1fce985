// Where the program waits until the jail is verified: as late as its filter is known to allow, and never behind an exec.
#include <gtest/gtest.h>

#include <algorithm>

#include "plan/compile.h"
#include "support/features.h"

namespace immure {
namespace {

Plan planned(const JailSpec& spec, const Features& features) {
  char* environment[] = {nullptr};
  auto plan = compile(spec, features, test::root_host(), RealHostFiles{}, environment);
  EXPECT_TRUE(plan) << (plan ? "" : plan.error().what);
  return plan ? std::move(*plan) : Plan{};
}

JailSpec of(const char* program) {
  JailSpec spec;
  spec.argv = {program};
  return spec;
}

ptrdiff_t place(const Plan& plan, Op op, Side side) {
  auto found = std::find_if(plan.steps.begin(), plan.steps.end(),
                            [&](const Step& step) { return step.op == op && step.side == side; });
  return found == plan.steps.end() ? -1 : found - plan.steps.begin();
}

TEST(Gate, IsBehindTheDefaultFilter) {
  Plan plan = planned(of("/bin/true"), test::linux_6_18());
  EXPECT_GT(place(plan, Op::AwaitGo, Side::Payload), place(plan, Op::Seccomp, Side::Payload));
  EXPECT_GT(place(plan, Op::Dumpable, Side::Payload), place(plan, Op::AwaitGo, Side::Payload));
  EXPECT_GT(place(plan, Op::Exec, Side::Payload), place(plan, Op::Dumpable, Side::Payload));
}

TEST(Gate, IsBeforeAFilterThatMayNotLetItWait) {
  JailSpec strict = of("/bin/true"), changed = of("/bin/true"), none = of("/bin/true");
  strict.seccomp = "strict";
  changed.syscalls.push_back({"recvmsg", false});
  none.seccomp = "none";
  for (const JailSpec& spec : {strict, changed, none}) {
    Plan plan = planned(spec, test::linux_6_18());
    ptrdiff_t gate = place(plan, Op::AwaitGo, Side::Payload), filter = place(plan, Op::Seccomp, Side::Payload);
    EXPECT_GE(gate, 0);
    EXPECT_TRUE(filter < 0 || gate < filter);
    EXPECT_LT(gate, place(plan, Op::Exec, Side::Payload));
  }
}

// With memory of its own the program cannot close pid 1's for pid 1.
TEST(Gate, IsOfPid1WhereTheProgramSharesNothing) {
  Features old = test::linux_6_18();
  old.time_ns_on_exec = false;
  Plan plan = planned(of("/bin/true"), old);
  EXPECT_EQ(place(plan, Op::AwaitGo, Side::Payload), -1);
  ptrdiff_t gate = place(plan, Op::AwaitGo, Side::AfterGate);
  EXPECT_GE(gate, 0);
  EXPECT_LT(gate, place(plan, Op::Dumpable, Side::AfterGate));
  EXPECT_LT(gate, place(plan, Op::Start, Side::AfterGate));
}

}  // namespace
}  // namespace immure
