// What is made on the way and attached nowhere in the jail goes with the old root.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "plan/compile.h"
#include "support/features.h"

namespace immure {
namespace {

namespace fs = std::filesystem;

class Files final : public HostFiles {};

class OldRoot : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/immure-old-root-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    top_ = fs::canonical(name);
    for (const char* folder : {"etc", "proc", "dev", "tmp"}) fs::create_directory(top_ + "/" + folder);
  }
  void TearDown() override { fs::remove_all(top_); }

  Plan planned(const Features& features, const Host& host, bool prepared, bool writable) {
    JailSpec spec;
    spec.argv = {"true"};
    if (prepared) spec.root.value = top_;
    spec.root_overlay = writable;
    char* environment[] = {nullptr};
    auto plan = compile(spec, features, host, Files(), environment);
    EXPECT_TRUE(plan) << (plan ? "" : format(plan.error()));
    return plan ? std::move(*plan) : Plan{};
  }

  std::string top_;
};

bool is_aside(const Plan& plan, const Step& step) { return step.op == Op::AttachHere && *plan.text(step.s) != '\0'; }

TEST_F(OldRoot, TakesEveryTreeThatIsAttachedNowhereElse) {
  for (const Host& host : {test::root_host(), test::user_host()})
    for (int prepared = 0; prepared < 2; prepared++)
      for (int writable = 0; writable <= prepared; writable++) {
        Plan plan = planned(test::v1_only(), host, prepared == 1, writable == 1);
        std::set<int8_t> made, attached;
        for (const Step& step : plan.steps) {
          if (step.op == Op::OpenTree || step.op == Op::FsMount) made.insert(step.out);
          if (step.op != Op::Attach && step.op != Op::AttachHere) continue;
          EXPECT_TRUE(attached.insert(step.a).second) << "attached twice";
        }
        EXPECT_FALSE(made.empty());
        EXPECT_TRUE(std::includes(attached.begin(), attached.end(), made.begin(), made.end()));
        const auto pivot = std::find_if(plan.steps.begin(), plan.steps.end(), [](const Step& step) { return step.op == Op::PivotRoot; });
        ASSERT_NE(pivot, plan.steps.end());
        EXPECT_EQ(pivot->x, 0u) << "nothing is stacked on the old root itself";
        // They cover the host's /proc, so nothing but the pivot comes behind them.
        auto first = std::find_if(plan.steps.begin(), pivot, [&](const Step& step) { return is_aside(plan, step); });
        EXPECT_EQ(first != pivot, prepared == 1 || plan.census_slot >= 0);
        EXPECT_TRUE(std::all_of(first, pivot, [&](const Step& step) { return is_aside(plan, step) && step.side == Side::Child; }));
      }
}

TEST_F(OldRoot, TakesNothingWhereLayersAreAttachedBefore) {
  Plan plan = planned(test::linux_6_1(), test::root_host(), true, false);
  EXPECT_TRUE(std::none_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) { return is_aside(plan, step); }));
}

}  // namespace
}  // namespace immure
