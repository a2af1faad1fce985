// What a jail that asks may ask about, weighed by registers.
#include <gtest/gtest.h>
#include <linux/audit.h>

#include "plan/asking.h"
#include "plan/compile.h"
#include "support/features.h"

namespace immure {
namespace {

seccomp_data call_of(int nr, std::initializer_list<uint64_t> args = {}, uint32_t arch = AUDIT_ARCH_X86_64) {
  seccomp_data call{};
  call.nr = nr;
  call.arch = arch;
  std::copy(args.begin(), args.end(), std::begin(call.args));
  return call;
}

Plan asking(std::vector<std::pair<std::string, bool>> rules = {}) {
  Plan plan;
  plan.asks.emplace();
  plan.asks->listener = true;
  plan.asks->rules = std::move(rules);
  plan.asks_of_sockets = true;
  return plan;
}

constexpr int kIoctl = 16, kSocket = 41, kClone = 56, kPtrace = 101, kMount = 165, kKcmp = 312;

TEST(Questions, AreNeverWiderThanARule) {
  const Plan plan = asking();
  Questions questions(plan);
  EXPECT_TRUE(questions.may_be_about(call_of(kPtrace, {16, 7})));
  EXPECT_TRUE(questions.may_be_about(call_of(kKcmp)));
  EXPECT_TRUE(questions.may_be_about(call_of(kSocket, {17, 3})));
  EXPECT_TRUE(questions.may_be_about(call_of(kIoctl, {3, 0xae01})));
  EXPECT_FALSE(questions.may_be_about(call_of(kMount)));
  EXPECT_FALSE(questions.may_be_about(call_of(kSocket, {40, 1})));
  EXPECT_FALSE(questions.may_be_about(call_of(kIoctl, {0, 0x5412}))) << "TIOCSTI: no rule lifts it";
  EXPECT_FALSE(questions.may_be_about(call_of(kClone, {0x10000000})));
  EXPECT_FALSE(questions.may_be_about(call_of(4711)));
}

TEST(Questions, OtherEntriesHaveTheirOwnCalls) {
  const Plan plan = asking();
  Questions questions(plan);
  EXPECT_FALSE(questions.may_be_about(call_of(26, {}, AUDIT_ARCH_I386))) << "the jail has no such entry";
  EXPECT_FALSE(questions.may_be_about(call_of(kPtrace | 0x40000000)));
  Plan old = asking();
  old.asks->compat32 = true;
  Questions of_old(old);
  EXPECT_TRUE(of_old.may_be_about(call_of(26, {}, AUDIT_ARCH_I386)));
  EXPECT_FALSE(of_old.may_be_about(call_of(21, {}, AUDIT_ARCH_I386))) << "mount";
}

TEST(Questions, WhatARuleDeniesIsNotAsked) {
  const Plan plan = asking({{"@debug", false}});
  Questions questions(plan);
  EXPECT_FALSE(questions.may_be_about(call_of(kPtrace)));
  EXPECT_TRUE(questions.may_be_about(call_of(kSocket, {17, 3})));
}

TEST(Questions, InTheHostsNetworkNothingIsAskedOfSockets) {
  Plan plan = asking();
  plan.asks_of_sockets = false;
  Questions questions(plan);
  for (const uint64_t family : {1, 2, 10, 16, 17, 38}) EXPECT_FALSE(questions.may_be_about(call_of(kSocket, {family, 3})));
  EXPECT_TRUE(questions.may_be_about(call_of(kPtrace)));
}

class HostsFiles final : public HostFiles {};

// A network namespace that is only preferred, where there are none: the jail is in the host's network.
TEST(Questions, WithoutANetworkNamespaceNothingIsAskedOfSockets) {
  for (const bool there : {true, false}) {
    JailSpec spec;
    spec.argv = {"true"};
    spec.asks = true;
    spec.need[static_cast<size_t>(Layer::NetNs)] = Need::Prefer;
    Features features = test::linux_6_18();
    if (!there) features.net_ns.ok = false;
    char* environment[] = {nullptr};
    auto plan = compile(spec, features, test::root_host(), HostsFiles(), environment);
    ASSERT_TRUE(plan) << format(plan.error());
    EXPECT_EQ(plan->asks_of_sockets, there);
  }
}

TEST(Questions, APlanThatDoesNotAskHasNone) {
  const Plan plan;
  Questions questions(plan);
  EXPECT_FALSE(questions.may_be_about(call_of(kPtrace)));
}

}  // namespace
}  // namespace immure
