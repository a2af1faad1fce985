// (S77) What enters a jail gets what the jail has, and not more.
#include "plan/enter.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "support/features.h"
#include "uapi/kernel.h"

namespace immure {
namespace {

EnterFacts facts() {
  EnterFacts all;
  all.door = 9;
  all.namespaces = {1, 2, 3, 4, 5, 6, 7, 8};
  all.uid = all.gid = 0x70000123;
  all.rlimits = {{RLIMIT_NOFILE, 100, 200}, {RLIMIT_CORE, 0, 0}, {RLIMIT_NPROC, 64, 64}};
  all.groups = {{"/sys/fs/cgroup/memory/immure-x/tasks", true}};
  all.landlock.files = 0xffff;
  all.landlock.scopes = 3;
  all.landlock.paths = {{"/", 13}, {"/tmp", 0xf7ff}};
  all.landlock.ports = {{2, 443}};
  return all;
}

JailSpec spec() {
  JailSpec jail;
  jail.argv = {"sh"};
  jail.name = "x";
  return jail;
}

Plan entered(const JailSpec& jail, const EnterFacts& all, const Host& host = test::root_host(), const Features& features = test::linux_6_18()) {
  char* environment[] = {nullptr};
  auto plan = compile_enter(jail, features, host, all, environment);
  EXPECT_TRUE(plan) << format(plan.error());
  return plan ? std::move(*plan) : Plan{};
}

size_t count(const Plan& plan, Op op) {
  size_t n = 0;
  for (const Step& step : plan.steps) n += step.op == op ? 1 : 0;
  return n;
}

const Step* first(const Plan& plan, Op op) {
  for (const Step& step : plan.steps)
    if (step.op == op) return &step;
  return nullptr;
}

size_t place(const Plan& plan, Op op) {
  size_t rank[4] = {0, 1000, 2000, 3000};
  for (size_t i = 0; i < plan.steps.size(); i++)
    if (plan.steps[i].op == op) return rank[static_cast<size_t>(plan.steps[i].side)] + i;
  return SIZE_MAX;
}

TEST(PlanEnter, TakesEveryNamespaceInOneCall) {
  Plan plan = entered(spec(), facts());
  ASSERT_EQ(count(plan, Op::EnterNamespaces), 1u);
  const Step* enter = first(plan, Op::EnterNamespaces);
  EXPECT_EQ(enter->x, uapi::kCloneNewUser | uapi::kCloneNewNs | uapi::kCloneNewPid | uapi::kCloneNewNet | uapi::kCloneNewIpc |
                          uapi::kCloneNewUts | uapi::kCloneNewCgroup | uapi::kCloneNewTime);
  ASSERT_EQ(plan.passed_fds.size(), 1u);
  EXPECT_EQ(plan.passed_fds[0].second, 9);
  EXPECT_EQ(plan.passed_fds[0].first, enter->a);
  EXPECT_EQ(plan.entered, facts().namespaces);
  EnterFacts shared = facts();
  shared.namespaces[static_cast<size_t>(Layer::NetNs)] = 0;
  EXPECT_EQ(first(entered(spec(), shared), Op::EnterNamespaces)->x & uapi::kCloneNewNet, 0u);
}

// It makes nothing: no namespace, no mount, no group, no map.
TEST(PlanEnter, MakesNothingOfItsOwn) {
  Plan plan = entered(spec(), facts());
  EXPECT_TRUE(plan.enters);
  EXPECT_EQ(plan.clone_flags, 0u);
  EXPECT_EQ(plan.unshare_flags, 0u);
  EXPECT_TRUE(plan.uid_map.empty());
  EXPECT_TRUE(plan.cgroup.empty());
  EXPECT_TRUE(plan.mounts.empty());
  for (Op op : {Op::Unshare, Op::FsOpen, Op::FsMount, Op::Attach, Op::PivotRoot, Op::WriteFile, Op::MakeDir, Op::MakeNode, Op::Hostname,
                Op::LoopbackUp, Op::OpenTree, Op::Mask})
    EXPECT_EQ(count(plan, op), 0u) << name(op);
}

TEST(PlanEnter, GivesTheProgramTheJailsPrivilegeAndRules) {
  Plan plan = entered(spec(), facts());
  for (Op op : {Op::SetGroups, Op::SetGid, Op::SetUid, Op::BoundingSet, Op::Securebits, Op::CapSet, Op::NoNewPrivs, Op::KeyringJoin,
                Op::Umask, Op::ResetInherited, Op::LandlockCreate, Op::LandlockEnforce, Op::CloseRange, Op::VerifyFds, Op::Seccomp,
                Op::Start, Op::Exec, Op::CgroupJoin})
    EXPECT_EQ(count(plan, op), 1u) << name(op);
  EXPECT_EQ(plan.caps, 0u);
  EXPECT_EQ(plan.outside_uid, 0x70000123u);
  EXPECT_FALSE(plan.filters[0].empty());
  EXPECT_EQ(count(plan, Op::LandlockPath), 2u);
  EXPECT_EQ(count(plan, Op::LandlockPort), 1u);
  EXPECT_EQ(first(plan, Op::LandlockCreate)->z, 3u);
  LandlockRules again = landlock_rules(plan);
  EXPECT_EQ(again.paths[1].path, "/tmp");
  EXPECT_EQ(again.paths[1].rights, 0xf7ffu);
  EXPECT_EQ(again.ports[0].port, 443u);
}

TEST(PlanEnter, JoinsBeforeItIsSomebodyAndIsBoundBeforeItStarts) {
  Plan plan = entered(spec(), facts());
  const Op order[] = {Op::CgroupJoin, Op::EnterNamespaces, Op::SetGroups, Op::SetUid, Op::Rlimit, Op::BoundingSet,
                      Op::CapSet, Op::NoNewPrivs, Op::LandlockEnforce, Op::Start, Op::CloseRange, Op::Seccomp, Op::Exec};
  for (size_t i = 1; i < std::size(order); i++)
    EXPECT_LT(place(plan, order[i - 1]), place(plan, order[i])) << name(order[i - 1]) << " " << name(order[i]);
  EXPECT_EQ(first(plan, Op::ParentDeathSignal)->side, Side::Payload) << "its parent must live to end it";
}

// Limits are the kernel's word about the jail, and never above the caller's own.
TEST(PlanEnter, HasTheLimitsThatTheJailHas) {
  Host host = test::root_host();
  host.hard_limits.fill(~uint64_t{0});
  Plan plan = entered(spec(), facts(), host);
  ASSERT_EQ(plan.rlimits.size(), 3u);
  EXPECT_EQ(plan.rlimits[0].soft, 100u);
  EXPECT_EQ(plan.rlimits[0].hard, 200u);
  host.hard_limits[RLIMIT_NOFILE] = 50;
  plan = entered(spec(), facts(), host);
  EXPECT_EQ(plan.rlimits[0].soft, 50u);
  EXPECT_EQ(plan.rlimits[0].hard, 50u);
  JailSpec timed = spec();
  timed.limits.wall_time_ns = 5;
  timed.limits.cpu_time_ns = 5000000000;
  plan = entered(timed, facts(), host);
  EXPECT_EQ(plan.wall_limit_ns, 0u) << "the jail's own supervisor keeps it";
  EXPECT_EQ(plan.cpu_time_limit_ns, 0u);
}

TEST(PlanEnter, RefusesMoreThanTheJailHas) {
  JailSpec more = spec();
  more.caps_add = 1 << 21;
  char* environment[] = {nullptr};
  auto plan = compile_enter(more, test::linux_6_18(), test::root_host(), facts(), environment);
  ASSERT_FALSE(plan) << "the bounding set of pid 1 is empty";
  EXPECT_EQ(plan.error().code, Code::kLayer);
  EnterFacts untold = facts();
  untold.landlock = {};
  plan = compile_enter(spec(), test::linux_6_18(), test::root_host(), untold, environment);
  ASSERT_FALSE(plan) << "no rules are not no restriction";
  JailSpec without = spec();
  without.need[static_cast<size_t>(Layer::Landlock)] = Need::Off;
  EXPECT_TRUE(compile_enter(without, test::linux_6_18(), test::root_host(), untold, environment));
}

TEST(PlanEnter, WorksForAUserToo) {
  EnterFacts own = facts();
  own.uid = own.gid = 1000;
  own.groups.clear();
  Plan plan = entered(spec(), own, test::user_host());
  EXPECT_EQ(plan.outside_uid, 1000u);
  EXPECT_EQ(count(plan, Op::SetGroups), 0u) << "setgroups is denied in its user namespace";
  EXPECT_EQ(count(plan, Op::CgroupJoin), 0u);
}

TEST(PlanEnter, HasATerminalOfTheJails) {
  Plan plan = entered(spec(), facts(), test::at_a_terminal(test::root_host()));
  EXPECT_TRUE(plan.pty);
  EXPECT_EQ(count(plan, Op::OpenPty), 1u);
  EXPECT_LT(place(plan, Op::EnterNamespaces), place(plan, Op::OpenPty)) << "else it would be the host's";
  EXPECT_EQ(count(plan, Op::ControllingTty), 1u);
}

// What becomes the program is among the jail's processes from its birth on: they must find it closed.
TEST(PlanEnter, IsClosedBeforeItIsSeen) {
  Plan plan = entered(spec(), facts());
  size_t closed = plan.steps.size(), let_go = plan.steps.size(), started = 0;
  for (size_t i = 0; i < plan.steps.size(); i++) {
    const Step& step = plan.steps[i];
    if (step.side == Side::AfterGate && step.op == Op::Dumpable && step.x == 0) closed = i;
    if (step.side == Side::AfterGate && step.op == Op::AwaitGo) let_go = i;
    if (step.op == Op::Start) started = i;
  }
  EXPECT_LT(let_go, closed);
  EXPECT_LT(closed, started);
}

}  // namespace
}  // namespace immure
