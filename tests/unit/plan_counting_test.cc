// Where what a jail uses is counted: in its group, or by the supervisor in a procfs of its own.
#include <gtest/gtest.h>

#include <algorithm>

#include "plan/compile.h"
#include "support/features.h"

namespace immure {
namespace {

// Directories of groups are there; which of them are one is up to `same`.
class Files : public HostFiles {
 public:
  explicit Files(bool same) : same_(same) {}
  PathFacts look(const std::string& path, bool follow) const override {
    if (path.find("/sys/fs/cgroup/cpu") != 0) return HostFiles::look(path, follow);
    PathFacts facts;
    facts.kind = PathFacts::Kind::Dir;
    facts.inode = same_ ? 1 : path.size();
    return facts;
  }

 private:
  bool same_;
};
class SameFiles final : public Files {
 public:
  SameFiles() : Files(true) {}
};
class OtherFiles final : public Files {
 public:
  OtherFiles() : Files(false) {}
};

Plan planned(const Features& features, bool time, const HostFiles& files = OtherFiles(), bool cpus = false) {
  JailSpec spec;
  spec.argv = {"true"};
  if (time) spec.limits.cpu_time_ns = 1'000'000'000;
  if (cpus) spec.limits.cpus_milli = 100;
  char* environment[] = {nullptr};
  auto plan = compile(spec, features, test::root_host(), files, environment);
  EXPECT_TRUE(plan) << (plan ? "" : format(plan.error()));
  return plan ? std::move(*plan) : Plan{};
}

size_t groups_of(const Plan& plan, const char* controller) {
  return static_cast<size_t>(std::count_if(plan.cgroup.begin(), plan.cgroup.end(),
                                           [&](const CgroupDir& dir) { return dir.controller == controller; }));
}

// Whether the supervisor is handed a procfs, which is a mount more.
bool has_census(const Plan& plan) {
  for (const Step& step : plan.steps)
    if (step.op == Op::MountsReady) return step.a != kNoSlot;
  return false;
}

TEST(Counting, NeedsNothingWhereAGroupHoldsTheLimits) {
  Plan plan = planned(test::v1_only(), false);
  EXPECT_FALSE(plan.counts_processes());
  EXPECT_FALSE(has_census(plan));
  EXPECT_EQ(groups_of(plan, "cpuacct"), 0u);
}

TEST(Counting, OfProcessorTimeIsTheGroups_S86) {
  Plan v1 = planned(test::v1_only(), true), v2 = planned(test::v2_only(), true);
  EXPECT_TRUE(v1.group_counts_cpu);
  EXPECT_EQ(groups_of(v1, "cpuacct"), 1u);
  EXPECT_TRUE(v2.group_counts_cpu);
  EXPECT_FALSE(has_census(v1) || has_census(v2));
}

// cpu and cpuacct are mostly one hierarchy, and one directory cannot be made twice.
TEST(Counting, KnowsAControllerByTwoNames_S86) {
  Plan apart = planned(test::v1_only(), true, OtherFiles(), true), one = planned(test::v1_only(), true, SameFiles(), true);
  EXPECT_EQ(groups_of(apart, "cpu") + groups_of(apart, "cpuacct"), 2u);
  EXPECT_EQ(groups_of(one, "cpu") + groups_of(one, "cpuacct"), 1u);
  EXPECT_TRUE(one.group_counts_cpu);
}

TEST(Counting, WithoutAGroupHidesNobodyFromTheSupervisor_S87) {
  for (const bool time : {false, true}) {
    Plan plan = planned(test::no_cgroup(), time);
    EXPECT_TRUE(plan.counts_processes());
    EXPECT_FALSE(plan.group_counts_cpu);
    EXPECT_TRUE(has_census(plan));
    EXPECT_TRUE(plan.counts_sockets);
  }
}

TEST(Counting, AsksForSocketsWhereTheyAreTheJailsAndMatter_S87) {
  EXPECT_FALSE(planned(test::v1_only(), false).counts_sockets) << "the group does";
  EXPECT_FALSE(planned(test::v1_only(), true).counts_sockets);
  char* environment[] = {nullptr};
  JailSpec shared, endless;
  shared.argv = endless.argv = {"true"};
  shared.net = Net::Host;
  endless.limits.memory = 0;
  for (const JailSpec& spec : {shared, endless}) {
    auto plan = compile(spec, test::no_cgroup(), test::user_host(), RealHostFiles{}, environment);
    ASSERT_TRUE(plan);
    EXPECT_FALSE(plan->counts_sockets);
  }
}

}  // namespace
}  // namespace immure
