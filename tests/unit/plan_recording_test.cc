// What --record-files changes of a plan, and what of the calls that its filter sends goes on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <sys/syscall.h>

#include <algorithm>

#include "filter/filter.h"
#include "plan/compile.h"
#include "plan/recording.h"
#include "support/features.h"

namespace immure {
namespace {

JailSpec recorded() {
  JailSpec spec;
  spec.argv = {"/bin/true"};
  spec.record_files.value = "/home/u/record";
  return spec;
}

Result<Plan> planned(const JailSpec& spec, const Features& features = test::linux_6_18(),
                     const Host& host = test::root_host()) {
  char* environment[] = {nullptr};
  return compile(spec, features, host, RealHostFiles{}, environment);
}

seccomp_data call_of(long number, uint64_t flags = 0, uint64_t mode = 0) {
  seccomp_data call{};
  call.arch = AUDIT_ARCH_X86_64;
  call.nr = static_cast<int>(number);
  call.args[2] = flags;
  call.args[3] = mode;
  return call;
}

ptrdiff_t place(const Plan& plan, Op op) {
  auto found =
      std::find_if(plan.steps.begin(), plan.steps.end(), [&](const Step& step) { return step.op == op; });
  return found - plan.steps.begin();
}

TEST(PlanRecording, HandsTheListenerOverBeforeTheExec) {
  auto plan = planned(recorded());
  ASSERT_TRUE(plan) << format(plan.error());
  EXPECT_TRUE(plan->records_files);
  EXPECT_TRUE(plan->listener);
  EXPECT_EQ(plan->steps[static_cast<size_t>(place(*plan, Op::Seccomp))].y, 2U);
  EXPECT_LT(place(*plan, Op::AwaitGo), place(*plan, Op::Seccomp))
      << "the gate is before a filter that sends calls";
  EXPECT_NE(plan->layers[static_cast<size_t>(Layer::Seccomp)].mechanism.find("recorded"), std::string::npos);
  EXPECT_TRUE(plan->weakened.empty());

  JailSpec usual = recorded();
  usual.record_files.value.clear();
  auto other = planned(usual);
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->records_files);
  EXPECT_EQ(other->steps[static_cast<size_t>(place(*other, Op::Seccomp))].y, 1U);
  EXPECT_FALSE(lets_through(*other, call_of(SYS_openat))) << "without a record nothing that comes goes on";
}

TEST(PlanRecording, LetsThroughWhatTheFilterAllows) {
  for (const Host& host : {test::root_host(), test::user_host()}) {
    auto plan = planned(recorded(), test::linux_6_18(), host);
    ASSERT_TRUE(plan) << format(plan.error());
    for (long number : {SYS_open, SYS_openat, SYS_openat2, SYS_creat, SYS_execve, SYS_execveat})
      EXPECT_TRUE(lets_through(*plan, call_of(number))) << number;
    for (long number :
         {SYS_mount, SYS_ptrace, SYS_bpf, SYS_keyctl, SYS_open_by_handle_at, SYS_clone3, 100000, -1})
      EXPECT_FALSE(lets_through(*plan, call_of(number))) << number;
    seccomp_data foreign = call_of(SYS_openat);
    foreign.arch = AUDIT_ARCH_I386;
    EXPECT_FALSE(lets_through(*plan, foreign));
    foreign = call_of(SYS_openat | 0x40000000);
    EXPECT_FALSE(lets_through(*plan, foreign));
  }
}

TEST(PlanRecording, RulesAndSharedFoldersStillHold) {
  JailSpec spec = recorded();
  spec.syscalls = {{"openat2", false}};
  Grant shared;
  shared.kind = Grant::Kind::Bind;
  shared.source.value = shared.target.value = "/tmp";
  spec.grants = {shared};
  auto plan = planned(spec);
  ASSERT_TRUE(plan) << format(plan.error());
  EXPECT_FALSE(lets_through(*plan, call_of(SYS_openat2)));
  EXPECT_TRUE(lets_through(*plan, call_of(SYS_openat, O_CREAT | O_WRONLY, 0755)));
  EXPECT_FALSE(lets_through(*plan, call_of(SYS_openat, O_CREAT | O_WRONLY, 04755)))
      << "no set-id bits in a shared folder";
}

TEST(PlanRecording, IsRefusedWhereItCannotBe) {
  Features silent = test::linux_6_18();
  silent.seccomp_listener = false;
  auto plan = planned(recorded(), silent);
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().what.find("cannot be recorded"), std::string::npos);

  JailSpec spec = recorded();
  spec.syscalls = {{"userfaultfd", true}};
  plan = planned(spec);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Code::kFilter);
  // Without a record the same jail goes without a listener.
  spec.syscalls = {{"sendmsg", false}};
  EXPECT_FALSE(planned(spec));
  spec.record_files.value.clear();
  EXPECT_TRUE(planned(spec));
}

}  // namespace
}  // namespace immure
