// What --watch changes of a plan: which calls its filter sends, and that nothing else is another verdict.
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <sys/syscall.h>

#include "filter/filter.h"
#include "plan/compile.h"
#include "plan/recording.h"
#include "support/features.h"

namespace immure {
namespace {

using Is = WatchedCall::Is;

JailSpec watched() {
  JailSpec spec;
  spec.argv = {"/bin/true"};
  spec.watch.level = "security";
  auto call = [&](long nr, std::vector<WatchedCall::Test> tests = {}) {
    spec.watched.push_back({AUDIT_ARCH_X86_64, static_cast<uint32_t>(nr), std::move(tests)});
  };
  call(SYS_execve);
  call(SYS_mount);  // denied: stays so
  call(SYS_chdir);
  call(SYS_mmap, {{2, Is::AllBits, false, {6}}, {3, Is::OneOf, false, {7, 9}}});
  call(SYS_clone, {{0, Is::Masked, false, {0x14100, 0x100}}});
  call(SYS_chmod, {{1, Is::AnyBit, false, {022}}});
  call(SYS_newfstatat, {{3, Is::NoBit, false, {0x1000}}});
  call(SYS_prctl, {{0, Is::NoneOf, false, {15, 16}}});
  call(SYS_sendto, {{4, Is::NoneOf, true, {0}}});
  return spec;
}

Plan planned(const JailSpec& spec) {
  char* environment[] = {nullptr};
  auto plan = compile(spec, test::linux_6_18(), test::root_host(), RealHostFiles{}, environment);
  EXPECT_TRUE(plan) << (plan ? "" : format(plan.error()));
  return plan ? std::move(*plan) : Plan{};
}

seccomp_data call_of(long number, std::array<uint64_t, 6> args = {}) {
  seccomp_data call{};
  call.arch = AUDIT_ARCH_X86_64;
  call.nr = static_cast<int>(number);
  std::copy(args.begin(), args.end(), call.args);
  return call;
}

TEST(PlanWatching, SendsWhatIsWatchedAndNothingElse) {
  for (bool tracer : {false, true}) {
    JailSpec spec = watched();
    spec.watched_by_tracer = tracer;
    const Plan plan = planned(spec);
    const filter::Verdict sent = tracer ? SECCOMP_RET_TRACE : SECCOMP_RET_USER_NOTIF;
    auto says = [&](const seccomp_data& call) { return filter::evaluate(plan.filters[0], call).value_or(1); };
    for (const auto& call : {call_of(SYS_execve), call_of(SYS_chdir), call_of(SYS_mmap, {0, 0, 7}),
                             call_of(SYS_mmap, {0, 0, 1, 9}), call_of(SYS_clone, {0x100 | 17}),
                             call_of(SYS_chmod, {0, 0720}), call_of(SYS_newfstatat), call_of(SYS_prctl, {38}),
                             call_of(SYS_sendto, {0, 0, 0, 0, uint64_t{1} << 32})})
      EXPECT_EQ(says(call), sent) << call.nr;
    for (const auto& call :
         {call_of(SYS_openat), call_of(SYS_mmap, {0, 0, 5, 2}), call_of(SYS_clone, {0x3d0f00}),
          call_of(SYS_clone, {0x4111}), call_of(SYS_chmod, {0, 0700}),
          call_of(SYS_newfstatat, {0, 0, 0, 0x1000}), call_of(SYS_prctl, {15}), call_of(SYS_sendto)})
      EXPECT_EQ(says(call), filter::kAllow) << call.nr;
    // What is denied comes to the supervisor as before, and is not let through.
    for (const auto& call : {call_of(SYS_mount), call_of(SYS_ptrace), call_of(SYS_clone, {0x10000100})}) {
      EXPECT_EQ(says(call), SECCOMP_RET_USER_NOTIF) << call.nr;
      EXPECT_FALSE(lets_through(plan, call));
    }
    EXPECT_TRUE(lets_through(plan, call_of(SYS_execve)));
    EXPECT_TRUE(plan.watches && plan.told_of_calls())
        << "what is denied is written down, whoever sees the rest";
    EXPECT_TRUE(std::ranges::equal(plan.wall(), filter::default_filter(true, false, false),
                                   [](const sock_filter& a, const sock_filter& b) {
                                     return a.code == b.code && a.k == b.k && a.jt == b.jt && a.jf == b.jf;
                                   }))
        << "what is weighed again is the filter of a jail that is not watched";
  }
}

// The filter says of every call what the one without a watch does, but for those that it sends.
TEST(PlanWatching, ChangesNoOtherVerdict) {
  const Plan plan = planned(watched());
  for (uint32_t nr = 0; nr < 512; nr++)
    for (uint64_t bits :
         {uint64_t{0}, uint64_t{1}, uint64_t{6}, uint64_t{0x1000}, uint64_t{0x5401}, ~uint64_t{0}}) {
      const auto call = call_of(nr, {bits, bits, bits, bits, bits, bits});
      const auto now = filter::evaluate(plan.filters[0], call).value_or(1);
      const auto before = filter::evaluate(plan.unrecorded, call).value_or(1);
      EXPECT_TRUE(now == before || (before == filter::kAllow && now == SECCOMP_RET_USER_NOTIF))
          << nr << " " << bits;
    }
}

TEST(PlanWatching, IsRefusedWhereAReaderCouldBeKeptWaiting) {
  char* environment[] = {nullptr};
  JailSpec spec = watched();
  spec.syscalls = {{"userfaultfd", true}};
  auto plan = compile(spec, test::linux_6_18(), test::root_host(), RealHostFiles{}, environment);
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().how.find("--watch-source"), std::string::npos) << format(plan.error());
  // The supervisor reads what a denied call names where a tracer sees the others.
  spec.watched_by_tracer = true;
  EXPECT_FALSE(compile(spec, test::linux_6_18(), test::root_host(), RealHostFiles{}, environment));
  Features silent = test::linux_6_18();
  silent.seccomp_listener = false;
  EXPECT_FALSE(compile(watched(), silent, test::root_host(), RealHostFiles{}, environment));
}

}  // namespace
}  // namespace immure
