// What a plan says about its mounts, as the kernel will show it.
#include <gtest/gtest.h>

#include "run/verify_mounts.h"

namespace immure::run {
namespace {

struct Planned {
  Plan plan;
  Planned() { plan.arena.push_back('\0'); }
  uint32_t text(std::string_view value) {
    auto offset = static_cast<uint32_t>(plan.arena.size());
    plan.arena.append(value).push_back('\0');
    return offset;
  }
  Step& add(Op op, int8_t a, int8_t out = kNoSlot, std::string_view s = {}, std::string_view t = {}) {
    Step step{};
    step.op = op;
    step.layer = Layer::Mounts;
    step.a = a;
    step.out = out;
    step.s = s.empty() ? 0 : text(s);
    step.t = t.empty() ? 0 : text(t);
    plan.steps.push_back(step);
    return plan.steps.back();
  }
};

std::string all(const std::vector<ExpectedOption>& options) {
  std::string text;
  for (const ExpectedOption& option : options) text += option.target + ":" + option.option + " ";
  return text;
}

TEST(VerifyMounts, ExpectsWhatWasSetWhereItWasMounted) {
  Planned planned;
  planned.add(Op::FsSet, 1, kNoSlot, "size", "1048577");
  planned.add(Op::FsSet, 1, kNoSlot, "nr_inodes", "320");
  planned.add(Op::FsSet, 1, kNoSlot, "mode", "1777");
  planned.add(Op::FsMount, 1, 2);
  planned.add(Op::FsSet, 3, kNoSlot, "hidepid", "invisible");
  planned.add(Op::FsMount, 3, 4);
  planned.add(Op::Attach, 4, kNoSlot, "/proc");
  planned.add(Op::Attach, 2, kNoSlot, "/tmp");
  EXPECT_EQ(all(expected_options(planned.plan)),
            "/proc:hidepid=invisible /tmp:size=1028k /tmp:nr_inodes=320 ");
}

TEST(VerifyMounts, NoLimitIsNotExpectedToShow) {
  Planned planned;
  planned.add(Op::FsSet, 1, kNoSlot, "size", "0");
  planned.add(Op::FsSet, 1, kNoSlot, "nr_inodes", "0");
  planned.add(Op::FsMount, 1, 2);
  planned.add(Op::Attach, 2, kNoSlot, "/tmp");
  EXPECT_EQ(all(expected_options(planned.plan)), "");
}

TEST(VerifyMounts, WhatIsNeverAttachedIsNotLookedFor) {
  Planned planned;
  planned.add(Op::FsSet, 1, kNoSlot, "size", "4096");
  planned.add(Op::FsMount, 1, 2);
  EXPECT_EQ(all(expected_options(planned.plan)), "");
}

TEST(VerifyMounts, CoversAreThoseOfTheMasks) {
  Planned planned;
  planned.add(Op::Mask, kNoSlot, kNoSlot, "/dev/null", "/proc/cmdline");
  planned.add(Op::FsOpen, kNoSlot, 1, "proc");
  std::vector<std::string_view> covers = expected_covers(planned.plan);
  ASSERT_EQ(covers.size(), 1u);
  EXPECT_EQ(covers[0], "/proc/cmdline");
  EXPECT_TRUE(is_on_this_kernel("/proc/cmdline"));
  EXPECT_FALSE(is_on_this_kernel("/proc/no-such-file"));
}

TEST(VerifyMounts, OffsetsAreComparedWordByWord) {
  const char* planned = "boottime -13281 0\nmonotonic -13281 0\n";
  EXPECT_TRUE(has_offsets("monotonic      -13281         0\nboottime       -13281         0\n", planned));
  EXPECT_FALSE(has_offsets("monotonic           0         0\nboottime            0         0\n", planned));
  EXPECT_FALSE(has_offsets("monotonic      -13281         0\n", planned));
  EXPECT_FALSE(has_offsets("", planned));
  EXPECT_TRUE(has_offsets("", ""));
}

TEST(VerifyMounts, OffsetsAreThoseOfTheTimeNamespace) {
  Planned planned;
  planned.add(Op::WriteFile, kNoSlot, kNoSlot, "/proc/sys/vm/memfd_noexec", "2");
  EXPECT_EQ(planned_offsets(planned.plan), "");
  planned.add(Op::WriteFile, kNoSlot, kNoSlot, "/proc/self/timens_offsets", "boottime 5 0\n").layer =
      Layer::TimeNs;
  EXPECT_EQ(planned_offsets(planned.plan), "boottime 5 0\n");
}

}  // namespace
}  // namespace immure::run
