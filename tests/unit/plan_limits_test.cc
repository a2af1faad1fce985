// What a jail's processes may have at most of what is counted for its maker as well.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "plan/compile.h"
#include "support/features.h"

namespace immure {
namespace {

uint64_t most_of(int resource, uint64_t callers) {
  JailSpec spec;
  spec.argv = {"true"};
  Host host = test::root_host();
  host.hard_limits.fill(~uint64_t{0});
  host.hard_limits[static_cast<size_t>(resource)] = callers;
  char* environment[] = {nullptr};
  auto plan = compile(spec, test::linux_6_18(), host, RealHostFiles{}, environment);
  EXPECT_TRUE(plan) << (plan ? "" : format(plan.error()));
  if (plan)
    for (const ExpectedRlimit& limit : plan->rlimits)
      if (limit.resource == resource) return limit.hard;
  return ~uint64_t{0};
}

// Timers and queued signals of a jail fill the same account as those of who made it: root's own could be none left.
TEST(Limits, LeaveTheMakerMostOfItsPendingSignals_S87) {
  EXPECT_EQ(most_of(RLIMIT_SIGPENDING, 96365), 4096u);
  EXPECT_EQ(most_of(RLIMIT_SIGPENDING, 4000), 1000u) << "a small host";
  EXPECT_EQ(most_of(RLIMIT_SIGPENDING, ~uint64_t{0}), 4096u);
}

TEST(Limits, LeaveTheMakerMostOfItsMessageQueues_S87) {
  EXPECT_EQ(most_of(RLIMIT_MSGQUEUE, 819200), 204800u);
  EXPECT_EQ(most_of(RLIMIT_MSGQUEUE, ~uint64_t{0}), uint64_t{1} << 20);
}

// A step names descriptors by small numbers: there is a last one.
TEST(Limits, MoreGrantsThanAJailHasPlacesForAreRefused) {
  for (const size_t count : {size_t{80}, size_t{130}, size_t{300}}) {
    JailSpec spec;
    spec.argv = {"true"};
    for (size_t i = 0; i < count; i++) {
      Grant grant;
      grant.kind = Grant::Kind::RoBind;
      grant.source.value = "/etc/passwd";
      grant.target.value = "/opt/" + std::to_string(i);
      spec.grants.push_back(grant);
    }
    char* environment[] = {nullptr};
    auto plan = compile(spec, test::linux_6_18(), test::root_host(), RealHostFiles{}, environment);
    EXPECT_EQ(static_cast<bool>(plan), count == 80) << count << (plan ? "" : format(plan.error()));
    if (!plan) {
      EXPECT_NE(plan.error().what.find("too many grants"), std::string::npos) << plan.error().what;
    }
  }
}

// Whichever limit comes first refuses, and only the group's counts how often.
TEST(Limits, OfProcessesAreTheGroupsFirst) {
  auto of = [](const Features& features) {
    JailSpec spec;
    spec.argv = {"true"};
    spec.limits.pids = 20;
    Host host = test::root_host();
    host.hard_limits.fill(~uint64_t{0});
    char* environment[] = {nullptr};
    auto plan = compile(spec, features, host, RealHostFiles{}, environment);
    EXPECT_TRUE(plan) << (plan ? "" : format(plan.error()));
    if (plan)
      for (const ExpectedRlimit& limit : plan->rlimits)
        if (limit.resource == RLIMIT_NPROC) return limit.hard;
    return uint64_t{0};
  };
  Features features = test::linux_6_18();
  EXPECT_EQ(of(features), 21u);
  features.cgroup = test::without_delegation(features.cgroup);
  EXPECT_EQ(of(features), 20u) << "no group";
}

TEST(Limits, OfProcessorsNameTheirController) {
  JailSpec spec;
  spec.argv = {"true"};
  spec.limits.cpus_milli = 500;
  Features features = test::linux_6_18();
  features.cgroup = test::without_delegation(features.cgroup);
  features.cgroup.unusable = {{"memory", "it is another's", ""}, {"cpu", "it is not mounted", ""}};
  char* environment[] = {nullptr};
  auto plan = compile(spec, features, test::root_host(), RealHostFiles{}, environment);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().why, "cpu: it is not mounted");
}

// Inside it may have any name; outside, 0 is root's group.
TEST(Identity, OfGroupZeroIsNotRootsGroup) {
  JailSpec spec;
  spec.argv = {"true"};
  spec.uid = 1000;
  spec.gid = 0;
  char* environment[] = {nullptr};
  auto plan = compile(spec, test::linux_6_18(), test::root_host(), RealHostFiles{}, environment);
  ASSERT_TRUE(plan) << format(plan.error());
  EXPECT_EQ(plan->outside_uid, 1000u);
  EXPECT_EQ(plan->inside_gid, 0u);
  EXPECT_NE(plan->outside_gid, 0u);
}

}  // namespace
}  // namespace immure
