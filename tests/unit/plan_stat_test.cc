// The /proc/stat of a jail: its processors, the start that its clocks tell of, and nothing of what the
// machine does.
#include <gtest/gtest.h>

#include <algorithm>

#include "plan/compile.h"
#include "support/features.h"

namespace immure {
namespace {

JailSpec of_true() {
  JailSpec spec;
  spec.argv = {"/bin/true"};
  return spec;
}

// Empty: the jail sees the kernel's.
std::string stat_of(const JailSpec& spec, const Host& host) {
  char* environment[] = {nullptr};
  auto plan = compile(spec, test::linux_6_18(), host, RealHostFiles{}, environment);
  EXPECT_TRUE(plan) << (plan ? "" : format(plan.error()));
  if (!plan) return {};
  std::string text;
  bool is_mounted = false;
  for (const Step& step : plan->steps) {
    if (step.op == Op::MakeFile && std::string_view(plan->text(step.s)) == ".proc-stat")
      text = plan->text(step.t);
    if (step.op == Op::Mask && std::string_view(plan->text(step.t)) == "/proc/stat") is_mounted = true;
  }
  EXPECT_EQ(is_mounted, !text.empty());
  return text;
}

TEST(Stat, TellsOfTheJailsProcessorsAlone_S28) {
  for (Host host : {test::root_host(), test::user_host()}) {
    host.processor_numbers = {1, 7};
    EXPECT_EQ(
        stat_of(of_true(), host),
        "cpu  0 0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\ncpu7 0 0 0 0 0 0 0 0 0 0\nintr 0\nctxt 0\n"
        "btime 1800000000\nprocesses 1\nprocs_running 1\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n");
  }
}

TEST(Stat, TellsTheStartThatTheClocksTell) {
  JailSpec later = of_true(), without = of_true();
  later.clock_offset_s = 100;
  without.need[static_cast<size_t>(Layer::TimeNs)] = Need::Off;
  const Host host = test::root_host();  // since 1000 seconds
  EXPECT_NE(stat_of(later, host).find("\nbtime 1799999900\n"), std::string::npos);
  EXPECT_NE(stat_of(without, host).find("\nbtime 1799999000\n"), std::string::npos);
}

TEST(Stat, IsTheKernelsForWhoAsks) {
  JailSpec spec = of_true();
  spec.weakened[static_cast<size_t>(Weaken::ProcFull)] = true;
  EXPECT_EQ(stat_of(spec, test::root_host()), "");
}

}  // namespace
}  // namespace immure
