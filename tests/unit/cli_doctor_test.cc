#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/doctor.h"
#include "cli/page.h"
#include "support/features.h"

namespace immure::cli {
namespace {

// A good host, seen by root.
Checkup good_host() {
  Checkup c;
  c.kernel = "6.18.0";
  c.machine = "x86_64";
  c.features = test::linux_6_18();
  c.host = test::root_host();
  c.around.privileged = true;
  c.helpers = {{"newuidmap", "/usr/bin/newuidmap", true}, {"newgidmap", "/usr/bin/newgidmap", true}};
  c.sysctls = {{"fs.protected_hardlinks", "1"}};
  c.plan.emplace();
  return c;
}

const Finding* find(const std::vector<Finding>& all, std::string_view section, std::string_view name) {
  for (const Finding& finding : all)
    if (finding.section == section && finding.name == name) return &finding;
  return nullptr;
}

TEST(DoctorTest, AGoodHostHasNothingBad) {
  Checkup c = good_host();
  for (const Finding& finding : findings(c))
    EXPECT_NE(finding.verdict, Verdict::Bad) << finding.name << finding.why;
  EXPECT_TRUE(default_jail_in_full(c));
}

// (S85) Whatever is missing, the cause and the one line that mends it are told.
TEST(DoctorTest, EveryMissingThingHasACauseAndARemedy) {
  std::vector<Checkup> worlds;
  auto add = [&](Features features, bool root) {
    Checkup c = good_host();
    c.features = std::move(features);
    if (!root) {
      c.host = Host{};
      c.host.uid = 1000;
      c.around.privileged = false;
    }
    c.helpers.clear();
    c.sysctls = {
        {"kernel.dmesg_restrict", "0"}, {"kernel.perf_event_paranoid", "-1"}, {"fs.suid_dumpable", "2"}};
    worlds.push_back(std::move(c));
  };
  for (bool root : {true, false}) {
    add(test::linux_4_19(), root);
    add(test::linux_6_1(), root);
    add(test::no_cgroup(), root);
    add(test::no_userns(), root);
    add(test::apparmor_restricts_userns(), root);
    add(test::inside_a_container(), root);
  }
  for (const Checkup& world : worlds) {
    for (const Finding& finding : findings(world)) {
      if (finding.verdict == Verdict::Good || finding.section == "the default jail") continue;
      EXPECT_FALSE(finding.why.empty()) << finding.section << " " << finding.name;
      EXPECT_FALSE(finding.how.empty()) << finding.section << " " << finding.name;
      EXPECT_EQ(finding.how.find('\n'), std::string::npos);
    }
  }
}

TEST(DoctorTest, TheCauseIsPassedOn) {
  Checkup c = good_host();
  c.features = test::no_userns();
  auto all = findings(c);
  const Finding* user = find(all, "namespaces", "user");
  ASSERT_NE(user, nullptr);
  EXPECT_EQ(user->verdict, Verdict::Bad);
  EXPECT_EQ(user->value, "EPERM");
  EXPECT_EQ(user->why, "sysctl kernel.unprivileged_userns_clone is 0");
  EXPECT_EQ(user->how, "sysctl -w kernel.unprivileged_userns_clone=1");
}

// On a hybrid host the unified tree can freeze, and a jail's groups are not in it.
TEST(DoctorTest, FreezingIsTheGroupsOnlyWhereItsTreeCan) {
  Checkup c = good_host();
  c.features.cgroup = test::cgroup_hybrid();
  auto hybrid = findings(c);
  EXPECT_EQ(find(hybrid, "control groups", "freeze")->verdict, Verdict::Note);
  EXPECT_EQ(find(hybrid, "control groups", "freeze")->value, "by SIGSTOP to each process");
  c.features.cgroup = test::cgroup_v2();
  auto unified = findings(c);
  EXPECT_EQ(find(unified, "control groups", "freeze")->verdict, Verdict::Good);
}

TEST(DoctorTest, KnobsAreJudgedBothWays) {
  Checkup c = good_host();
  c.sysctls = {{"kernel.perf_event_paranoid", "-1"},
               {"fs.suid_dumpable", "2"},
               {"kernel.dmesg_restrict", "1"},
               {"kernel.yama.ptrace_scope", std::nullopt}};
  auto all = findings(c);
  EXPECT_EQ(find(all, "sysctls", "kernel.perf_event_paranoid")->verdict, Verdict::Note);
  EXPECT_EQ(find(all, "sysctls", "fs.suid_dumpable")->how, "as root: sysctl -w fs.suid_dumpable=0");
  EXPECT_EQ(find(all, "sysctls", "kernel.dmesg_restrict")->verdict, Verdict::Good);
  EXPECT_EQ(find(all, "sysctls", "kernel.yama.ptrace_scope"), nullptr)
      << "a knob that is not there is no finding";
}

TEST(DoctorTest, InFullMeansEveryRequiredLayer) {
  Checkup c = good_host();
  auto& lsm = c.plan->layers[static_cast<size_t>(Layer::Lsm)];
  lsm = {Need::Prefer, State::Missing, {}, "no module"};
  EXPECT_TRUE(default_jail_in_full(c));
  auto& seccomp = c.plan->layers[static_cast<size_t>(Layer::Seccomp)];
  seccomp = {Need::Require, State::Weaker, {}, "reason"};
  EXPECT_FALSE(default_jail_in_full(c));
  c.plan.reset();
  c.refusal = Error{Code::kLayer, 1, "the pid namespace cannot be had", "sysctl", "mend it", {}};
  EXPECT_FALSE(default_jail_in_full(c));
  auto all = findings(c);
  const Finding* refused = find(all, "the default jail", "cannot be made");
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->how, "mend it");
}

TEST(DoctorTest, JsonIsOneDocument) {
  Checkup c = good_host();
  c.features = test::inside_a_container();
  c.sysctls.push_back({"vm.memfd_noexec", std::nullopt});
  auto json = nlohmann::json::parse(doctor_json(c));
  EXPECT_EQ(json["schema"], "immure.doctor/1");
  EXPECT_TRUE(json["default_jail"]["in_full"].is_boolean());
  EXPECT_TRUE(json["sysctls"]["vm.memfd_noexec"].is_null());
  EXPECT_EQ(json["findings"].size(), findings(c).size());
}

size_t longest_line(const std::string& text) {
  size_t longest = 0;
  for (std::string_view line : split(text, '\n')) {
    size_t columns = 0;
    for (char ch : line) columns += (static_cast<unsigned char>(ch) & 0xc0) != 0x80;
    longest = std::max(longest, columns);
  }
  return longest;
}

TEST(DoctorTest, FitsEightyColumnsAndHasNoColourUnlessAsked) {
  for (auto make : {test::linux_4_19, test::inside_a_container, test::no_cgroup}) {
    Checkup c = good_host();
    c.features = make();
    c.around.seccomp_filter = true;
    std::string text = doctor_text(c, false);
    EXPECT_LE(longest_line(text), 80u) << text;
    EXPECT_EQ(text.find('\033'), std::string::npos);
    EXPECT_NE(doctor_text(c, true).find('\033'), std::string::npos);
  }
}

TEST(DoctorTest, ThisHostIsLookedAt) {
  Checkup c = check_host();
  EXPECT_FALSE(c.kernel.empty());
  EXPECT_TRUE(c.plan.has_value() != c.refusal.has_value());
  EXPECT_FALSE(findings(c).empty());
  EXPECT_FALSE(doctor_text(c, false).empty());
}

TEST(DoctorTest, AnUnknownFlagIsNamedWithTheNearestOne) {
  std::string flag = "--jsom";
  char* args[] = {flag.data()};
  auto result = doctor(args);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kUsage);
  EXPECT_NE(result.error().how.find("--json"), std::string::npos);
}

// A hostile name cannot write to the terminal, whatever column it stands in.
TEST(PageTest, NothingOfTheShownTextReachesTheTerminalRaw) {
  Page page(false);
  page.row(Mark::Good, "ok", "\033[2J", "\033]0;x\a evil\nsecond");
  page.pair("a\tb", "c\rd");
  page.detail("fix",
              "\x9b"
              "31m");
  page.line("\033c");
  for (char c : page.str()) EXPECT_TRUE(c == '\n' || (c >= ' ' && c != 127)) << static_cast<int>(c);
}

TEST(PageTest, WrapsInTheValuesColumn) {
  Page page(false, 40);
  page.row(Mark::None, "", "name", "one two three four five six seven");
  page.line("  double  blanks stay where they fit but not at an end of the line");
  for (std::string_view line : split(page.str(), '\n')) {
    EXPECT_LE(line.size(), 40u) << line;
    EXPECT_FALSE(line.ends_with(' ')) << "'" << line << "'";
  }
}

}  // namespace
}  // namespace immure::cli
