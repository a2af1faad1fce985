// Each target's words: what is written reads back, hostile names stay names.
#include <gmock/gmock.h>
#include <linux/audit.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "filter/filter.h"
#include "input/oci_seccomp.h"
#include "input/profile.h"
#include "learn/emit.h"
#include "learn/needs.h"

namespace immure::learn {
namespace {

using testing::HasSubstr;
using testing::Not;

Rights some() {
  Needs needs;
  needs.command = {"/usr/bin/prog", "--port", "80 80"};
  needs.net = true;
  needs.runs = 1;
  for (const char* call : {"openat", "socket", "connect", "epoll_wait", "ioctl"})
    needs.add(Part::Call, call, kWorked, 0, 1);
  needs.add(Part::Argument, "socket 0 0x2", kWorked, 0, 1);
  needs.add(Part::Argument, "ioctl 1 0x5421", kWorked, 0, 1);
  needs.add(Part::Capability, "net_bind_service", kWorked | kSure, 0, 1);
  needs.add(Part::Address, "connect tcp 443 192.0.2.1", kWorked, 0, 1);
  needs.add(Part::Address, "bind tcp 80 0.0.0.0", kWorked, 0, 1);
  needs.add(Part::File, "/etc/prog.conf", kRead | kWorked, 0, 1);
  needs.add(Part::File, "/etc/shadow", kRead | kRefused, 0, 1);
  needs.add(Part::File, "/srv/a b:c,\"d'\\e$(id)/x", kRead | kWorked, 0, 1);
  needs.add(Part::File, "/var/lib/prog/db", kWritten | kMade | kWorked, 0, 1);
  needs.peaks = {40u << 20, 3, 20, 5000, 1};
  Surroundings around;
  around.look = [](const std::string& path) -> Look {
    if (path.find("/.") != std::string::npos) return {};
    bool folder = path == "/var/lib/prog" || path == "/var/lib" || path == "/etc" || path == "/";
    return {folder ? Look::Kind::Folder : Look::Kind::File, path};
  };
  return rights_of(needs, around);
}

constexpr const char* kHostile = "/srv/a b:c,\"d'\\e$(id)/x";

TEST(LearnEmit, EveryTargetSaysWhatItCannotSay) {
  Rights rights = some();
  for (const Emitter& one : emitters()) {
    EXPECT_FALSE(one.text(rights).empty()) << one.id;
    EXPECT_FALSE(one.lacks(rights).empty()) << one.id;
    EXPECT_EQ(find_emitter(one.id), &one);
    EXPECT_THAT(one.text(rights), Not(HasSubstr("/etc/shadow\","))) << one.id;
  }
}

TEST(LearnEmit, TheProfileReadsBackAsTheRightsItWasMadeFrom) {
  Rights rights = some();
  rights.own = {{"env", "A=b c"},
                {"weaken", "tmp-exec"},
                {"ro-bind", "/other:/there"},
                {"hostname", "h"},
                {"pids", "77"}};
  std::string text = find_emitter("toml")->text(rights);
  auto profile = read_profile_text({text, "learned.toml", "/nowhere", "/home/u", false});
  ASSERT_TRUE(profile.has_value()) << format(profile.error()) << text;
  std::vector<Word> words;
  ASSERT_TRUE(apply_changes(words, *profile).has_value());
  Jail jail;
  for (const Word& word : words) {
    Status done = apply(jail, word);
    ASSERT_TRUE(done.has_value()) << format(done.error());
  }
  std::vector<std::string> sources;
  for (const Grant& one : jail.spec.grants) sources.push_back(one.source.value);
  EXPECT_THAT(sources, testing::UnorderedElementsAre("/etc/prog.conf", kHostile, "/var/lib/prog", "/other"));
  EXPECT_EQ(jail.spec.net, Net::Host);
  EXPECT_THAT(jail.spec.landlock.connect, testing::ElementsAre(443));
  EXPECT_THAT(jail.spec.landlock.bind, testing::ElementsAre(80));
  EXPECT_EQ(jail.spec.limits.pids, 77U);
  EXPECT_EQ(jail.spec.limits.memory, 128u << 20);
  EXPECT_TRUE(jail.spec.has(Weaken::TmpExec));
  EXPECT_EQ(jail.spec.hostname, "h");
  // The filter allows what is needed and nothing else of what the default allows.
  filter::Options options;
  for (const SyscallRule& rule : jail.spec.syscalls) options.rules.emplace_back(rule.name, rule.allow);
  auto policy = filter::default_policy(options);
  ASSERT_TRUE(policy.has_value()) << format(policy.error());
  ASSERT_TRUE(filter::check_launch(*policy, true).has_value());
  for (const std::string& call : default_calls()) {
    bool needed = std::binary_search(rights.calls.begin(), rights.calls.end(), call) || call == "uprobe" ||
                  call == "uretprobe";
    const auto& arch = policy->arches.front();
    uint32_t nr = *filter::syscall_number(filter::Arch::X86_64, call);
    auto found =
        std::find_if(arch.calls.begin(), arch.calls.end(), [&](const auto& one) { return one.nr == nr; });
    bool open = found != arch.calls.end() &&
                (found->otherwise == filter::kAllow ||
                 std::any_of(found->rules.begin(), found->rules.end(),
                             [](const auto& rule) { return rule.verdict == filter::kAllow; }));
    EXPECT_EQ(open, needed) << call;
  }
}

TEST(LearnEmit, TheFilterInJsonAllowsTheseArgumentsAlone) {
  Rights rights = some();
  auto policy =
      read_oci_seccomp(find_emitter("seccomp")->text(rights), "filter.json", OciSeccompFacts{0, 6, 1});
  ASSERT_TRUE(policy.has_value()) << format(policy.error());
  auto weigh = [&](const char* call, std::array<uint64_t, 2> args) {
    seccomp_data data{};
    data.nr = static_cast<int>(*filter::syscall_number(filter::Arch::X86_64, call));
    data.arch = AUDIT_ARCH_X86_64;
    std::copy(args.begin(), args.end(), data.args);
    return filter::decide(*policy, data);
  };
  EXPECT_EQ(weigh("epoll_wait", {}), filter::kAllow);
  EXPECT_EQ(weigh("socket", {2, 1}), filter::kAllow);
  EXPECT_NE(weigh("socket", {17, 3}), filter::kAllow);
  EXPECT_EQ(weigh("ioctl", {0, 0x5421}), filter::kAllow);
  EXPECT_EQ(weigh("ioctl", {0, 0xffffffff00005421}), filter::kAllow) << "the kernel looks at the low half";
  EXPECT_NE(weigh("ioctl", {0, 0x5412}), filter::kAllow);
  EXPECT_NE(weigh("mount", {}), filter::kAllow);
  EXPECT_EQ(weigh("clone3", {}), filter::errno_verdict(38));
}

TEST(LearnEmit, TheBundleIsOneDocument) {
  auto json = nlohmann::json::parse(find_emitter("oci")->text(some()), nullptr, false);
  ASSERT_TRUE(json.is_object());
  EXPECT_EQ(json["process"]["args"][2], "80 80");
  EXPECT_TRUE(json["process"]["noNewPrivileges"].get<bool>());
  EXPECT_EQ(json["linux"]["seccomp"]["defaultAction"], "SCMP_ACT_ERRNO");
  bool found = false;
  for (const auto& mount : json["mounts"]) found = found || mount["source"] == kHostile;
  EXPECT_TRUE(found);
}

TEST(LearnEmit, HostileNamesStayOneWordOfAShell) {
  EXPECT_EQ(shell_word("plain-1.2/x"), "plain-1.2/x");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("a'b"), "'a'\\''b'");
  EXPECT_THAT(find_emitter("bwrap")->text(some()), HasSubstr("'/srv/a b:c,\"d'\\''\\e$(id)/x'"));
  EXPECT_EQ(toml_text("a\"\\\n\x1b"), "\"a\\\"\\\\\\u000A\\u001B\"");
  Rights rights = some();
  rights.name = "x\n[Service]\nExecStart=/bin/sh";
  for (const Emitter& one : emitters())
    EXPECT_THAT(one.text(rights), Not(HasSubstr("\nExecStart"))) << one.id;
}

TEST(LearnEmit, APathOfSeveralLinesAddsNoSettingToAUnit) {
  Rights rights = some();
  rights.paths[0].path = "/srv/a\nExecStartPre=/bin/evil";
  rights.paths[0].access = PathRight::Access::Read;
  const Emitter& unit = *find_emitter("systemd");
  EXPECT_EQ(unit.text(rights).find("evil"), std::string::npos);
  EXPECT_THAT(unit.lacks(rights), testing::Contains(HasSubstr("control characters: /srv/a\\x0aExec")));
}
TEST(LearnEmit, AUnitKeepsBlanksAndPercentSigns) {
  Rights rights = some();
  rights.paths = {{PathRight::Access::Read, "/srv/100% a", true, "", "", 1, 0}};
  EXPECT_THAT(find_emitter("systemd")->text(rights), HasSubstr("BindReadOnlyPaths=\"/srv/100%% a\"\n"));
}

}  // namespace
}  // namespace immure::learn
