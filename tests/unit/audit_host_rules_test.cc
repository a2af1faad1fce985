// Every rule about the host: a fault gives exactly one finding of it, the clean twin none, and what cannot be
// read is said to be unknown. (S47, S98, S99, S100, S101, S102, S103)
#include <gmock/gmock.h>

#include <functional>
#include <map>
#include <set>

#include "audit/facts.h"
#include "audit/rule.h"
#include "audit/rules/host/kernel_faults.h"
#include "base/text.h"
#include "unit/audit_made_up_host.h"

namespace immure::audit {
namespace {

Answers ask_of(const HostState& host) {
  Facts facts;
  facts.host = &host;
  return ask(facts);
}

std::vector<std::string> ids(const Answers& answers) {
  std::vector<std::string> found;
  for (const Finding& one : answers.findings()) found.emplace_back(one.rule->id);
  return found;
}

std::string state_of(const Answers& answers, std::string_view id) {
  for (const Answers::Answer& one : answers.answers())
    if (one.rule->id == id) return one.state == Answers::State::Unknown ? "unknown: " + one.why : "checked";
  return "unasked";
}

struct Fault {
  const char* id;
  std::function<void(HostState&)> spoil;
};

std::function<void(HostState&)> set(const char* name, const char* value) {
  return [=](HostState& host) { host.settings[name] = Seen::of(value); };
}

void loads_modules(HostState& host) { host.settings["kernel.modules_disabled"] = Seen::of("0"); }

const std::vector<Fault>& faults() {
  static const std::vector<Fault> kFaults = {
      {"host-manager-socket", [](HostState& h) { h.sockets[0].mode = 0666; }},
      {"host-kernel-helper",
       [](HostState& h) {
         h.helpers[0].changeable = "/sbin";
         h.helpers[0].changeable_why = "mode 0777";
       }},
      {"host-device-modes", [](HostState& h) { h.devices[1].mode = 0664; }},
      {"host-device-modes", [](HostState& h) { h.devices[0].mode = 0666; }},
      {"host-device-modes", [](HostState& h) { h.devices[2].mode = 0666; }},
      {"host-hard-links", set("fs.protected_hardlinks", "0")},
      {"host-symlinks", set("fs.protected_symlinks", "0")},
      {"host-fifos", set("fs.protected_fifos", "0")},
      {"host-regular", set("fs.protected_regular", "0")},
      {"host-ptrace-scope", set("kernel.yama.ptrace_scope", "0")},
      {"host-yama", [](HostState& h) { h.settings["kernel.yama.ptrace_scope"] = Seen(); }},
      {"host-user-namespaces", set("user.max_user_namespaces", "5000")},
      {"host-namespace-limits", set("user.max_net_namespaces", "127000")},
      {"host-bpf-users", set("kernel.unprivileged_bpf_disabled", "0")},
      {"host-bpf-jit", set("net.core.bpf_jit_harden", "0")},
      {"host-perf", set("kernel.perf_event_paranoid", "1")},
      {"host-perf", set("kernel.perf_event_paranoid", "-1")},
      {"host-userfaultfd", set("vm.unprivileged_userfaultfd", "1")},
      {"host-io-uring", set("kernel.io_uring_disabled", "0")},
      {"host-kernel-pointers", set("kernel.kptr_restrict", "0")},
      {"host-kernel-log", set("kernel.dmesg_restrict", "0")},
      {"host-hidepid", [](HostState& h) { h.proc_options = Seen::of("rw,nosuid,gid=5"); }},
      {"host-address-layout", set("kernel.randomize_va_space", "0")},
      {"host-address-layout", set("kernel.randomize_va_space", "1")},
      {"host-low-pages", set("vm.mmap_min_addr", "4096")},
      {"host-memory-device", [](HostState& h) { h.config_words["CONFIG_STRICT_DEVMEM"] = "n"; }},
      {"host-kexec", set("kernel.kexec_load_disabled", "0")},
      {"host-lockdown", [](HostState& h) { h.lockdown = Seen::of("none"); }},
      {"host-lockdown",
       [](HostState& h) {
         h.lockdown = Seen();
         h.modules_lsm = Seen::of("capability,landlock,apparmor");
       }},
      {"host-taint", set("kernel.tainted", "4096")},
      {"host-taint", set("kernel.tainted", "128")},
      {"host-modules-disabled", loads_modules},
      {"host-core-pattern", set("kernel.core_pattern", "core")},
      {"host-core-pattern", set("kernel.core_pattern", "|/usr/lib/handler %p")},
      {"host-core-set-id", set("fs.suid_dumpable", "1")},
      {"host-sysrq", set("kernel.sysrq", "1")},
      {"host-line-disciplines", set("dev.tty.ldisc_autoload", "1")},
      {"host-terminal-input", set("dev.tty.legacy_tiocsti", "1")},
      {"host-binary-format", [](HostState& h) { h.formats[0].flags = "OCF"; }},
      {"host-security-module",
       [](HostState& h) { h.modules_lsm = Seen::of("lockdown,capability,landlock,yama"); }},
      {"host-landlock", [](HostState& h) { h.modules_lsm = Seen::of("capability,selinux"); }},
      {"host-audit", [](HostState& h) { h.audit_enabled = false; }},
      {"host-kernel-age", [](HostState& h) { h.kernel = "6.18.32"; }},
      {"host-processor", [](HostState& h) { h.weaknesses[0].second = "Vulnerable"; }},
      {"host-threads", [](HostState& h) { h.smt_active = Seen::of("1"); }},
  };
  return kFaults;
}

TEST(HostRules, CleanHostGivesNothing) { EXPECT_THAT(ids(ask_of(made_up_host())), testing::IsEmpty()); }

TEST(HostRules, FaultGivesExactlyItsFinding) {
  for (const Fault& fault : faults()) {
    HostState host = made_up_host();
    fault.spoil(host);
    EXPECT_THAT(ids(ask_of(host)), testing::ElementsAre(fault.id));
  }
}

TEST(HostRules, FaultsOfTwoSettings) {
  // Signatures matter where modules can be loaded, and so do modules on demand.
  HostState host = made_up_host();
  loads_modules(host);
  host.sig_enforce = Seen::of("N");
  EXPECT_THAT(ids(ask_of(host)), testing::ElementsAre("host-modules-disabled"))
      << "lockdown asks for signatures";
  host.lockdown = Seen::of("none");
  EXPECT_THAT(ids(ask_of(host)),
              testing::UnorderedElementsAre("host-lockdown", "host-module-signing", "host-modules-disabled"));
}

// Signatures may be asked for by a lockdown whose level nobody can read.
TEST(HostRules, SignaturesUnderALockdownThatIsNotSeen) {
  struct Case {
    Seen lockdown, modules_lsm;
    const char* state;
  };
  const Case cases[] = {
      {Seen::unread("EACCES"), Seen::of("capability,landlock"), "unknown: "},
      {Seen(), Seen::of("lockdown,capability"), "unknown: "},
      {Seen(), Seen::unread("EACCES"), "unknown: "},
      {Seen(), Seen::of("capability,landlock"), "checked"},  // with a finding
  };
  for (const Case& one : cases) {
    HostState host = made_up_host();
    loads_modules(host);
    host.sig_enforce = Seen::of("N");
    host.lockdown = one.lockdown;
    host.modules_lsm = one.modules_lsm;
    const Answers answers = ask_of(host);
    EXPECT_THAT(state_of(answers, "host-module-signing"), testing::StartsWith(one.state));
    const bool finds = std::string_view(one.state) == "checked";
    EXPECT_THAT(ids(answers), testing::Contains("host-module-signing").Times(finds ? 1 : 0));
    // Where the module itself says that signatures are asked for, nobody need know the level.
    host.sig_enforce = Seen::of("Y");
    EXPECT_EQ(state_of(ask_of(host), "host-module-signing"), "checked");
  }
}

// The level stands in a file system that need not be mounted, the modules are told by a call too.
TEST(HostRules, ALockdownWhoseLevelIsNotSeen) {
  HostState host = made_up_host();
  host.lockdown = Seen();
  host.modules_lsm = Seen::of("lockdown,capability,landlock,yama");
  host.modules_lsm_by = "lsm_list_modules(2)";
  const Answers answers = ask_of(host);
  EXPECT_THAT(ids(answers), testing::ElementsAre("host-security-module"));
  EXPECT_THAT(state_of(answers, "host-lockdown"), testing::StartsWith("unknown: lockdown is active"));
  EXPECT_EQ(answers.findings()[0].evidence, "are lockdown,capability,landlock,yama: lsm_list_modules(2)");
}

TEST(HostRules, ModulesOnDemand) {
  HostState host = made_up_host();
  host.rare_modules[0].state = RareModule::State::Loadable;
  EXPECT_THAT(ids(ask_of(host)), testing::IsEmpty()) << "nothing is loaded any more";
  loads_modules(host);
  EXPECT_THAT(ids(ask_of(host)), testing::UnorderedElementsAre("host-modules-disabled", "host-rare-modules"));
  host.rare_modules[0].state = RareModule::State::BuiltIn;
  EXPECT_THAT(ids(ask_of(host)), testing::ElementsAre("host-modules-disabled"));
}

TEST(HostRules, ReleaseAgentNeedsAHierarchyThatCanBeWritten) {
  HostState host = made_up_host();
  host.v1_hierarchies = {{"/sys/fs/cgroup/rdma", "rw,rdma", Seen::of(""), true}};
  EXPECT_THAT(ids(ask_of(host)), testing::UnorderedElementsAre("host-release-agent", "host-groups-version"));
  host.v1_hierarchies[0].writable = false;
  EXPECT_THAT(ids(ask_of(host)), testing::ElementsAre("host-groups-version"));
}

TEST(HostRules, CoresOfSetIdProgramsWithARelativeName) {
  HostState host = made_up_host();
  host.settings["fs.suid_dumpable"] = Seen::of("2");
  EXPECT_THAT(ids(ask_of(host)), testing::IsEmpty());
  host.settings["kernel.core_pattern"] = Seen::of("core");
  EXPECT_THAT(ids(ask_of(host)), testing::UnorderedElementsAre("host-core-set-id", "host-core-pattern"));
}

TEST(HostRules, UserNamespacesHaveThreeLocks) {
  HostState host = made_up_host();
  host.settings["user.max_user_namespaces"] = Seen::of("9000");
  host.settings["kernel.unprivileged_userns_clone"] = Seen::of("0");
  EXPECT_THAT(ids(ask_of(host)), testing::IsEmpty());
  host.settings["kernel.unprivileged_userns_clone"] = Seen::of("1");
  host.settings["kernel.apparmor_restrict_unprivileged_userns"] = Seen::of("1");
  EXPECT_THAT(ids(ask_of(host)), testing::IsEmpty());
  host.settings["kernel.apparmor_restrict_unprivileged_userns"] = Seen::of("0");
  EXPECT_THAT(ids(ask_of(host)), testing::ElementsAre("host-user-namespaces"));
}

// Each rule of the table is in the list of faults, or has a test of its own above.
TEST(HostRules, EveryRuleIsTested) {
  std::set<std::string> tested = {"host-rare-modules", "host-module-signing", "host-release-agent",
                                  "host-groups-version"};
  for (const Fault& fault : faults()) tested.insert(fault.id);
  std::set<std::string> all;
  for (const Rule* rule : rules(Look::Host)) {
    EXPECT_TRUE(all.insert(rule->id).second) << rule->id;
    EXPECT_TRUE(std::string_view(rule->id).starts_with("host-")) << rule->id;
    EXPECT_LE(std::string_view(rule->title).size(), 60U) << rule->id;
    EXPECT_FALSE(std::string_view(rule->fix).empty() && std::string_view(rule->advice).empty()) << rule->id;
    EXPECT_STRNE(rule->reference, "") << rule->id;
  }
  EXPECT_EQ(all, tested);
  EXPECT_GE(all.size(), 25U);
}

// Nothing could be read at all: no finding, and every rule says so.
TEST(HostRules, UnreadIsUnknownAndNoFinding) {
  HostState host = made_up_host();
  for (auto& [name, seen] : host.settings) seen = Seen::unread("EACCES");
  host.lockdown = host.modules_lsm = host.sig_enforce = host.config = host.mounts = host.proc_options =
      host.modules_folder = host.weaknesses_folder = host.smt_active = Seen::unread("EACCES");
  host.config_words.clear();
  host.audit_enabled.reset();
  host.audit_why = "EPERM";
  host.kernel.clear();
  const Answers answers = ask_of(host);
  EXPECT_THAT(ids(answers), testing::IsEmpty());
  // What is looked at by stat(2) is either there or not.
  const std::set<std::string> by_stat = {"host-manager-socket", "host-kernel-helper", "host-device-modes",
                                         "host-binary-format"};
  for (const Rule* rule : rules(Look::Host))
    EXPECT_THAT(state_of(answers, rule->id),
                testing::StartsWith(by_stat.count(rule->id) != 0 ? "checked" : "unknown: "))
        << rule->id;
}

// Those of the kernel that are told: until April 2024, and later ones.
std::pair<std::string, std::string> told_of_kernel(const char* kernel, const char* build) {
  HostState host = made_up_host();
  host.kernel = kernel;
  host.build = build;
  const Answers answers = ask_of(host);
  if (state_of(answers, "host-kernel-age").starts_with("unknown")) return {"unknown", "unknown"};
  std::pair<std::string, std::string> told;
  for (const Finding& finding : answers.findings()) {
    if (finding.rule->id != std::string_view("host-kernel-age")) continue;
    (finding.where < "CVE-2024-2" ? told.first : told.second) += finding.where + " ";
    EXPECT_LE(finding.severity, Severity::Low);
    EXPECT_THAT(finding.evidence, testing::HasSubstr("backported"));
  }
  return told;
}

TEST(HostRules, AgeOfTheKernel) {
  struct Case {
    const char *kernel, *build, *old, *late;
  };
  const char* every_of_2026 = "CVE-2026-31431 CVE-2026-43284 CVE-2026-43500 CVE-2026-46300 ";
  const Case cases[] = {
      {"6.6.15", "", "", nullptr},
      {"6.8.0", "", "", nullptr},
      {"5.17.0", "",
       "CVE-2022-29582 CVE-2022-1015 CVE-2022-2639 CVE-2022-32250 CVE-2022-34918 CVE-2022-2586 "
       "CVE-2022-2588 CVE-2022-2602 CVE-2023-0386 CVE-2023-0179 CVE-2023-0461 CVE-2023-1829 "
       "CVE-2023-2163 CVE-2023-32233 CVE-2023-4004 CVE-2023-4208 CVE-2023-6817 CVE-2023-6931 "
       "CVE-2024-1086 ",
       nullptr},
      {"6.1.0-18-amd64",
       "Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org) #1 SMP Debian 6.1.76-1 (2024)", "",
       nullptr},
      {"6.1.0-17-amd64",
       "Linux version 6.1.0-17-amd64 (debian-kernel@lists.debian.org) #1 SMP Debian 6.1.69-1 (2024)",
       "CVE-2024-1086 ", nullptr},
      {"6.8.0-45-generic", "", "unknown", "unknown"},
      {"7.1.0-1-generic", "", "", ""},
      {"5.14.0-427.el9.x86_64", "", "unknown", "unknown"},
      {"", "", "unknown", "unknown"},
      {"7.1.0", "", "", ""},
      {"7.0.9", "", "", "CVE-2026-46300 "},
      {"6.18.33", "", "", ""},
      {"6.18.21", "", "", every_of_2026},
      {"6.12.53", "", "", "CVE-2025-40019 CVE-2026-31431 CVE-2026-43284 CVE-2026-43500 CVE-2026-46300 "},
      // A branch that nobody looks after any more, and that the records do not name.
      {"6.17.13", "", "", every_of_2026},
      {"4.19.325", "", "", nullptr},
  };
  for (const Case& one : cases) {
    const auto [old, late] = told_of_kernel(one.kernel, one.build);
    EXPECT_EQ(old, one.old) << one.kernel;
    if (one.late == nullptr) continue;
    EXPECT_EQ(late, one.late) << one.kernel;
  }
}

// Numbers without a branch that is newer than the main line's, and without a fix before the fault.
TEST(HostRules, FaultsOfTheKernelAreInOrder) {
  const auto parts = [](std::string_view version) {
    std::vector<int> out;
    for (std::string_view part : split(version, '.')) out.push_back(std::stoi(std::string(part)));
    return out;
  };
  std::set<std::string> numbers;
  for (const KernelFault& fault : kernel_faults()) {
    EXPECT_TRUE(numbers.insert(fault.cve).second) << fault.cve;
    EXPECT_LT(parts(fault.since), parts(fault.fixed)) << fault.cve;
    std::vector<int> last = parts("0");
    for (std::string_view fix : split(fault.fixes, ' ')) {
      EXPECT_LT(last, parts(fix)) << fault.cve;
      EXPECT_LT(parts(fix), parts(fault.fixed)) << fault.cve << " " << fix;
      EXPECT_EQ(parts(fix).size(), 3u) << fault.cve;
      last = parts(fix);
    }
    EXPECT_EQ(std::string_view(fault.cve) > "CVE-2024-2", fault.shown_by != nullptr) << fault.cve;
  }
  EXPECT_GE(numbers.size(), 65u);
}

}  // namespace
}  // namespace immure::audit
