// Every rule about described jails: a fault gives exactly one finding of it, the clean twin none, and what is
// not known is said to be so.
#include <gmock/gmock.h>

#include <cstring>
#include <functional>
#include <map>
#include <set>

#include "audit/facts.h"
#include "audit/facts/described.h"
#include "audit/rule.h"

namespace immure::audit {
namespace {

using Kind = DescribedMount::Kind;
using testing::ElementsAre;
using testing::IsEmpty;

Answers ask_of(const Described& jail) {
  Facts facts;
  facts.described = &jail;
  return ask(facts);
}

std::vector<std::string> ids(const Described& jail) {
  std::vector<std::string> found;
  const Answers answers = ask_of(jail);
  for (const Finding& one : answers.findings()) found.emplace_back(one.rule->id);
  return found;
}

Severity worst(const Described& jail) {
  Severity severity = Severity::Advice;
  const Answers answers = ask_of(jail);
  for (const Finding& one : answers.findings()) severity = std::max(severity, one.severity);
  return severity;
}

// A bundle with everything that a bundle can say.
Described clean() {
  Described jail;
  jail.kind = "oci";
  jail.root.say(WhoseRoot::Own, "a");
  for (Value<Share>& space : jail.spaces) space.say(Share::Own, "a");
  jail.root_outside.say(false, "a");
  jail.groups = {{"users", "a"}};
  jail.capabilities.say(uint64_t{1} << 10, "a");
  jail.ambient.say(uint64_t{1} << 10, "a");
  jail.no_new_privs.say(true, "a");
  jail.filter.say(true, "a");
  jail.open_calls.say({}, "a");
  jail.label.say("profile", "a");
  jail.mounts = {{Kind::Bind, "/usr", "/usr", false, false, false, false, "a"},
                 {Kind::Bind, "/srv/data", "/data", true, false, false, false, "a"},
                 {Kind::Proc, "", "/proc", true, false, false, false, "a"}};
  jail.root_writable.say(false, "a");
  jail.homes_visible.say(false, "a");
  jail.propagation.say(false, "a");
  jail.settings_writable.say(false, "a");
  jail.unmasked.say({}, "a");
  jail.devices = {{"/dev/null", 'c', 1, 3, true, "a"}};
  jail.all_devices.say(false, "a");
  jail.callers_terminal.say(false, "a");
  jail.ends_with_caller.say(true, "a");
  jail.memory_limit.say(true, "a");
  jail.process_limit.say(true, "a");
  jail.processor_limit.say(true, "a");
  jail.whole_environment.say(false, "a");
  jail.first_environment.say(false, "a");
  jail.callers_descriptors.say(false, "a");
  jail.callers_keyring.say(false, "a");
  jail.callers_powers.say(false, "a");
  jail.variables = {{"PATH", "a", false}, {"TOKEN", "a", true}, {"SECRET_FILE", "a", false}};
  jail.programs = {{"/usr/bin/hook", "a", true, "", "", false, false}};
  return jail;
}

// A server that locks users in.
Described server(const char* kind) {
  Described jail;
  jail.kind = kind;
  jail.root.say(WhoseRoot::Own, "a");
  DescribedLogin login;
  login.who = "local users";
  login.root.say("/srv/sftp", "a");
  login.looked_at = true;
  for (Value<bool>* value :
       {&login.shell, &login.tcp, &login.sockets, &login.agent, &login.x11, &login.tunnel, &login.environment,
        &login.own_rc, &login.writable_root, &login.root_of_passwd, &login.writes})
    value->say(false, "a");
  jail.logins = {login};
  jail.empty_folder.say("/run/vsftpd/empty", "a");
  jail.clear_passwords.say(false, "a");
  return jail;
}

struct Fault {
  const char* id;
  std::function<void(Described&)> spoil;
};

std::function<void(Described&)> shared(Space which) {
  return [=](Described& j) { j.space(which).say(Share::Host, "b"); };
}
std::function<void(Described&)> bound(const char* source, const char* target, bool writable,
                                      bool devices = false) {
  return [=](Described& j) {
    j.mounts.insert(j.mounts.begin(), {Kind::Bind, source, target, writable, devices, false, false, "b"});
  };
}

const std::vector<Fault>& faults() {
  static const std::vector<Fault> kFaults = {
      {"described-root", [](Described& j) { j.root.say(WhoseRoot::Host, "b"); }},
      {"described-mount-shared", shared(Space::Mount)},
      {"described-user-shared", shared(Space::User)},
      {"described-pid-shared", shared(Space::Pid)},
      {"described-net-shared", shared(Space::Net)},
      {"described-ipc-shared", shared(Space::Ipc)},
      {"described-uts-shared", shared(Space::Uts)},
      {"described-cgroup-shared", shared(Space::Cgroup)},
      {"described-joined",
       [](Described& j) {
         j.space(Space::Net).say(Share::Joined, "b");
         j.joined[static_cast<size_t>(Space::Net)] = "/proc/1/ns/net";
       }},
      {"described-propagation", [](Described& j) { j.propagation.say(true, "b"); }},
      {"described-root-outside", [](Described& j) { j.root_outside.say(true, "b"); }},
      {"described-capabilities", [](Described& j) { j.capabilities.say(uint64_t{1} << 21, "b"); }},
      {"described-ambient", [](Described& j) { j.ambient.say(uint64_t{1} << 13, "b"); }},
      {"described-new-privileges", [](Described& j) { j.no_new_privs.by_default(false, "b"); }},
      {"described-groups",
       [](Described& j) {
         j.groups = {{"docker", "b"}};
       }},
      {"described-unbounded", [](Described& j) { j.programs[0].unbounded = true; }},
      {"described-label", [](Described& j) { j.label.by_default("", "b"); }},
      {"described-label", [](Described& j) { j.label.say("unconfined", "b"); }},
      {"described-filter", [](Described& j) { j.filter.by_default(false, "b"); }},
      {"described-calls", [](Described& j) { j.open_calls.say({"mount"}, "b"); }},
      {"described-calls", [](Described& j) { j.open_calls.say({"keyctl"}, "b"); }},
      {"described-host-system", bound("/etc", "/etc", true)},
      {"described-host-homes", bound("/home/me", "/home/me", true)},
      {"described-host-homes", bound("$HOME", "/home/me", true)},
      {"described-host-homes", [](Described& j) { j.homes_visible.by_default(true, "b"); }},
      {"described-host-proc", bound("/proc", "/host/proc", false)},
      {"described-host-sys", bound("/sys", "/sys", false)},
      {"described-host-dev", bound("/dev", "/dev", true, true)},
      {"described-manager-socket", bound("/var/run/docker.sock", "/docker.sock", false)},
      {"described-manager-socket", bound("/run/containerd", "/x", false)},
      {"described-host-sockets", bound("/run/user/1000", "/run/user/1000", false)},
      {"described-mount-set-id", [](Described& j) { j.mounts[1].set_ids = true; }},
      {"described-unmasked", [](Described& j) { j.unmasked.say({"/proc/kcore"}, "b"); }},
      {"described-settings", [](Described& j) { j.settings_writable.say(true, "b"); }},
      {"described-root-writable", [](Described& j) { j.root_writable.by_default(true, "b"); }},
      {"described-devices",
       [](Described& j) {
         j.devices.push_back({"/dev/x", 'c', 1, 1, true, "b"});
       }},
      {"described-devices",
       [](Described& j) {
         j.devices.push_back({"/dev/x", 'b', 8, 0, true, "b"});
       }},
      {"described-devices",
       [](Described& j) {
         j.devices.push_back({"/dev/sda", 'c', -1, -1, false, "b"});
       }},
      {"described-devices",
       [](Described& j) {
         j.devices.push_back({"block-loop", 'b', -1, -1, true, "b"});
       }},
      {"described-devices", bound("/dev/vda1", "/dev/disk", false, true)},
      {"described-host-sockets", bound("/tmp/.X11-unix/X0", "/tmp/.X11-unix/X0", false)},
      {"described-host-sockets",
       [](Described& j) {
         j.mounts.insert(j.mounts.begin(),
                         {Kind::Bind, "/run", "/host/run", false, false, false, false, "b"});
       }},
      {"described-host-memory", bound("/dev/shm", "/dev/shm", true)},
      {"described-host-memory", bound("/dev/shm", "/dev/shm", false, true)},
      {"described-host-memory", bound("/dev", "/host/dev", false)},
      {"described-descriptors", [](Described& j) { j.callers_descriptors.by_default(true, "b"); }},
      {"described-keyring",
       [](Described& j) {
         j.callers_keyring.by_default(true, "b");
         j.filter = {};
         j.open_calls = {};
       }},
      {"described-first-environment", [](Described& j) { j.first_environment.by_default(true, "b"); }},
      {"described-callers-powers", [](Described& j) { j.callers_powers.by_default(true, "b"); }},
      {"described-all-devices", [](Described& j) { j.all_devices.by_default(true, "b"); }},
      {"described-terminal", [](Described& j) { j.callers_terminal.by_default(true, "b"); }},
      {"described-outlives", [](Described& j) { j.ends_with_caller.by_default(false, "b"); }},
      {"described-environment", [](Described& j) { j.whole_environment.by_default(true, "b"); }},
      {"described-secret",
       [](Described& j) {
         j.variables.push_back({"DB_PASSWORD", "b", false});
       }},
      {"described-program", [](Described& j) { j.programs[0].changeable = "/usr/bin"; }},
      {"described-loosened", [](Described& j) { j.loosened.emplace_back("ptrace: may trace", "b"); }},
      {"described-memory", [](Described& j) { j.memory_limit.by_default(false, "b"); }},
      {"described-processes", [](Described& j) { j.process_limit.by_default(false, "b"); }},
      {"described-processor", [](Described& j) { j.processor_limit.by_default(false, "b"); }},
  };
  return kFaults;
}

std::function<void(Described&)> on(Value<bool> DescribedLogin::*which) {
  return [=](Described& j) { (j.logins[0].*which).say(true, "b"); };
}

const std::vector<Fault>& sshd_faults() {
  static const std::vector<Fault> kFaults = {
      {"described-login-folder", [](Described& j) { j.logins[0].changeable = "/srv"; }},
      {"described-login-shell", on(&DescribedLogin::shell)},
      {"described-login-forwarding", on(&DescribedLogin::tcp)},
      {"described-login-forwarding", on(&DescribedLogin::tunnel)},
      {"described-login-agent", on(&DescribedLogin::sockets)},
      {"described-login-files", on(&DescribedLogin::environment)},
      {"described-login-files", on(&DescribedLogin::own_rc)},
  };
  return kFaults;
}

const std::vector<Fault>& vsftpd_faults() {
  static const std::vector<Fault> kFaults = {
      {"described-login-root", [](Described& j) { j.logins[0].root.by_default("", "b"); }},
      {"described-login-writable", on(&DescribedLogin::writable_root)},
      {"described-anonymous", on(&DescribedLogin::writes)},
      {"described-passwd-root", on(&DescribedLogin::root_of_passwd)},
      {"described-empty-folder", [](Described& j) { j.empty_folder_fault = "mode 0777"; }},
      {"described-clear-passwords", [](Described& j) { j.clear_passwords.by_default(true, "b"); }},
  };
  return kFaults;
}

TEST(DescribedRules, CleanGivesNothing) {
  EXPECT_THAT(ids(clean()), IsEmpty());
  EXPECT_THAT(ids(server("sshd")), IsEmpty());
  EXPECT_THAT(ids(server("vsftpd")), IsEmpty());
  Described nothing;
  EXPECT_THAT(ids(nothing), IsEmpty());
}

TEST(DescribedRules, FaultGivesExactlyItsFinding) {
  const auto every = [](const std::vector<Fault>& list, const Described& twin) {
    int number = 0;
    for (const Fault& fault : list) {
      Described jail = twin;
      fault.spoil(jail);
      EXPECT_THAT(ids(jail), ElementsAre(fault.id)) << "fault " << number;
      ++number;
    }
  };
  every(faults(), clean());
  every(sshd_faults(), server("sshd"));
  every(vsftpd_faults(), server("vsftpd"));
}

TEST(DescribedRules, EveryRuleIsTested) {
  std::set<std::string> tested = {"described-privileged", "described-host-root"};
  for (const auto* list : {&faults(), &sshd_faults(), &vsftpd_faults()})
    for (const Fault& fault : *list) tested.insert(fault.id);
  std::set<std::string> all;
  for (const Rule* rule : rules(Look::Described)) {
    EXPECT_TRUE(all.insert(rule->id).second) << rule->id;
    EXPECT_TRUE(std::string_view(rule->id).starts_with("described-")) << rule->id;
    EXPECT_LE(std::string_view(rule->title).size(), 60U) << rule->id;
    EXPECT_FALSE(std::string_view(rule->fix).empty() && std::string_view(rule->advice).empty()) << rule->id;
    EXPECT_STRNE(rule->reference, "") << rule->id;
  }
  EXPECT_EQ(all, tested);
  EXPECT_GE(all.size(), 25U);
}

TEST(DescribedRules, AllPowersAreOneFinding) {
  Described jail = clean();
  jail.space(Space::User).say(Share::Host, "b");
  jail.capabilities.say((uint64_t{1} << 41) - 1, "b");
  EXPECT_THAT(ids(jail), testing::UnorderedElementsAre("described-privileged", "described-user-shared"));
  EXPECT_EQ(worst(jail), Severity::Critical);
  // In a user namespace of its own they open the kernel, and not the host.
  jail.space(Space::User).say(Share::Own, "b");
  EXPECT_THAT(ids(jail), testing::Each("described-capabilities"));
  EXPECT_EQ(worst(jail), Severity::Low);
}

TEST(DescribedRules, AChrootInAFolderOfEverybodyIsPutElsewhere) {
  const auto by_hand = [](const std::string& folder, bool sticky) {
    Described jail = server("sshd");
    jail.logins[0].changeable = folder;
    jail.logins[0].sticky = sticky;
    const Answers answers = ask_of(jail);
    EXPECT_THAT(ids(jail), ElementsAre("described-login-folder"));
    return !answers.findings().empty() && answers.findings()[0].by_hand;
  };
  EXPECT_TRUE(by_hand("/tmp", true));
  EXPECT_TRUE(by_hand("/srv/all", true));
  EXPECT_TRUE(by_hand("/home", false));
  EXPECT_FALSE(by_hand("/srv/sftp", false));
}

TEST(DescribedRules, AFolderOfTwoLoginsIsOneFinding) {
  Described jail = server("sshd");
  jail.logins[0].changeable = "/srv";
  jail.logins.push_back(jail.logins[0]);
  jail.logins[1].who = "Match user x";
  jail.logins[1].root.say("/srv/%u", "c");
  jail.logins[1].tokens = true;
  const Answers answers = ask_of(jail);
  ASSERT_EQ(answers.findings().size(), 1U);
  EXPECT_EQ(answers.findings()[0].where, "/srv");
  EXPECT_THAT(answers.findings()[0].evidence,
              testing::HasSubstr("local users: /srv/sftp: a; Match user x: /srv/%u: c"));
  // What lies behind the name of the user was not looked at, whatever lies before it.
  EXPECT_THAT(answers.answers(), testing::Contains(testing::AllOf(
                                     testing::Field(&Answers::Answer::state, Answers::State::Unknown),
                                     testing::Field(&Answers::Answer::why, testing::HasSubstr("/srv/%u")))));
}

TEST(DescribedRules, AnEmptyFolderThatNobodyNamed) {
  Described jail = server("vsftpd");
  jail.empty_folder_there = false;
  jail.empty_folder_fault = "it is not there";
  EXPECT_THAT(ids(jail), ElementsAre("described-empty-folder"));
  jail.empty_folder.by_default("/usr/share/empty", "c");
  EXPECT_THAT(ids(jail), IsEmpty());
  const Answers unknown = ask_of(jail);
  EXPECT_THAT(unknown.answers(),
              testing::Contains(testing::Field(&Answers::Answer::state, Answers::State::Unknown)));
  jail.empty_folder_there = true;
  jail.empty_folder_fault = "it is not empty";
  EXPECT_THAT(ids(jail), ElementsAre("described-empty-folder"));
}

TEST(DescribedRules, WhatSystemdHasNotYetIsAdvice) {
  Described jail = clean();
  jail.kind = "unit";
  for (Space which : {Space::Pid, Space::Cgroup}) jail.space(which).by_default(Share::Host, "c");
  EXPECT_THAT(ids(jail), ElementsAre("described-pid-shared", "described-cgroup-shared"));
  EXPECT_EQ(worst(jail), Severity::Advice);
  jail.space(Space::Pid).say(Share::Host, "c");
  EXPECT_EQ(worst(jail), Severity::Low);
}

TEST(DescribedRules, LaterMountsCoverEarlierOnes) {
  Described jail = clean();
  jail.mounts = {{Kind::Bind, "/", "/", false, false, false, false, "b"}};
  EXPECT_THAT(ids(jail), testing::UnorderedElementsAre("described-host-root", "described-host-proc",
                                                       "described-host-sys", "described-host-sockets",
                                                       "described-host-sockets", "described-host-memory"));
  // A socket and shared memory are there also where the mount is read-only; what covers them hides them.
  for (const char* cover : {"/run", "/tmp", "/dev"})
    jail.mounts.push_back({Kind::Tmpfs, "", cover, true, false, false, false, "b"});
  EXPECT_THAT(ids(jail), ElementsAre("described-host-root", "described-host-proc", "described-host-sys"));
  jail.mounts.push_back({Kind::Proc, "", "/proc", true, false, false, false, "b"});
  jail.mounts.push_back({Kind::Tmpfs, "", "/sys", true, false, false, false, "b"});
  EXPECT_THAT(ids(jail), ElementsAre("described-host-root"));
  EXPECT_EQ(worst(jail), Severity::Medium);
  jail.mounts[0].writable = true;
  EXPECT_THAT(ids(jail), ElementsAre("described-host-root"));
  EXPECT_EQ(worst(jail), Severity::Critical);
  // What is below what is covered is covered, and a name that only begins alike is not.
  jail.mounts = {{Kind::Bind, "/sys", "/a/b", false, false, false, false, "b"},
                 {Kind::Tmpfs, "", "/a", true, false, false, false, "b"}};
  EXPECT_THAT(ids(jail), IsEmpty());
  jail.mounts[1].target = "/a/bc";
  EXPECT_THAT(ids(jail), ElementsAre("described-host-sys"));
}

TEST(DescribedRules, UnclearIsUnknownAndNoFinding) {
  Described jail = clean();
  jail.root.unclear("c");
  for (Value<Share>& space : jail.spaces) space.unclear("c");
  for (Value<bool>* value :
       {&jail.root_outside, &jail.no_new_privs, &jail.filter, &jail.root_writable, &jail.homes_visible,
        &jail.propagation, &jail.settings_writable, &jail.all_devices, &jail.callers_terminal,
        &jail.ends_with_caller, &jail.memory_limit, &jail.process_limit, &jail.processor_limit,
        &jail.whole_environment, &jail.first_environment, &jail.callers_descriptors, &jail.callers_keyring,
        &jail.callers_powers})
    value->unclear("c");
  jail.capabilities.unclear("c");
  jail.ambient.unclear("c");
  jail.label.unclear("c");
  jail.unmasked.unclear("c");
  EXPECT_THAT(ids(jail), IsEmpty());
  size_t unknown = 0;
  const Answers answers = ask_of(jail);
  for (const Answers::Answer& one : answers.answers())
    unknown += one.state == Answers::State::Unknown ? 1 : 0;
  // Two rules ask for the capabilities.
  EXPECT_EQ(unknown, 31U);
  Described login = server("sshd");
  login.logins[0].tokens = true;
  login.logins[0].tcp.unclear("c");
  EXPECT_THAT(ids(login), IsEmpty());
}

TEST(DescribedRules, AFilterKeepsKeysAway) {
  Described jail = clean();
  jail.callers_keyring.by_default(true, "b");
  EXPECT_THAT(ids(jail), IsEmpty());
  for (const char* call : {"keyctl", "request_key"}) {
    jail.open_calls.say({call}, "a");
    EXPECT_THAT(ids(jail), testing::UnorderedElementsAre("described-calls", "described-keyring")) << call;
  }
  // A filter that nobody could read may do so too.
  jail.open_calls.unclear("c");
  EXPECT_THAT(ids(jail), IsEmpty());
  bool unknown = false;
  const Answers answers = ask_of(jail);
  for (const Answers::Answer& one : answers.answers())
    unknown |= std::string_view(one.rule->id) == "described-keyring" && one.state == Answers::State::Unknown;
  EXPECT_TRUE(unknown);
}

TEST(DescribedRules, OneEnvironmentIsOneFinding) {
  Described jail = clean();
  jail.first_environment.by_default(true, "b");
  EXPECT_THAT(ids(jail), ElementsAre("described-first-environment"));
  jail.whole_environment.by_default(true, "b");
  EXPECT_THAT(ids(jail), ElementsAre("described-environment"));
  // Without /proc it is not seen.
  jail.whole_environment.say(false, "a");
  jail.mounts.pop_back();
  EXPECT_THAT(ids(jail), IsEmpty());
}

TEST(DescribedRules, WhatIsForetoldOfTheCaller) {
  const auto foretells = [](const char* rule, std::string_view probe) {
    const std::string words = " " + std::string(find_rule(rule)->predicts) + " ";
    return words.find(" " + std::string(probe) + " ") != std::string::npos;
  };
  EXPECT_TRUE(foretells("described-descriptors", "leaked-top"));
  EXPECT_TRUE(foretells("described-keyring", "callers-key-session"));
  EXPECT_TRUE(foretells("described-environment", "proc-first-environ"));
  EXPECT_TRUE(foretells("described-first-environment", "proc-any-environ"));
  EXPECT_TRUE(foretells("described-callers-powers", "handle-top"));
  EXPECT_TRUE(foretells("described-host-sockets", "unix-path"));
  EXPECT_TRUE(foretells("described-ipc-shared", "sysv-memory-list"));
  // What another fault gives is not its word.
  EXPECT_FALSE(foretells("described-host-root", "information"));
  EXPECT_FALSE(foretells("described-net-shared", "network"));
  EXPECT_FALSE(foretells("described-descriptors", "descriptors"));
}

TEST(DescribedRules, NamesOfSecrets) {
  for (const char* yes : {"DB_PASSWORD", "github_token", "AWS_SECRET_ACCESS_KEY", "MYSQL_PASS", "X_API_KEY"})
    EXPECT_TRUE(is_secret_name(yes)) << yes;
  for (const char* no : {"PATH", "KEYBOARD", "TOKEN_FILE", "SECRET_PATH", "COMPASS", "HOME"})
    EXPECT_FALSE(is_secret_name(no)) << no;
}

// Root of the host is that whoever wrote it down.
TEST(DescribedRules, RootIsAsBadInEveryKind) {
  for (const bool bare : {false, true}) {
    std::map<std::string, std::string> told;
    for (const char* kind : {"unit", "oci", "bwrap"}) {
      Described jail = clean();
      jail.kind = kind;
      jail.spaces[static_cast<size_t>(Space::User)].say(Share::Host, "a");
      jail.root_outside = {true, Word::Said, "User=root"};
      jail.capabilities = {bare ? 0 : ~uint64_t{0} >> 23, Word::Default, "by default"};
      Facts facts;
      facts.described = &jail;
      const Answers answers = ask(facts);
      for (const Finding& one : answers.findings())
        if (one.rule->point == Point::Privileges)
          told[kind] += std::string(one.rule->id) + " " + key(one.severity) + "; ";
    }
    EXPECT_EQ(told["oci"], told["bwrap"]);
    // What a bundle gives, a unit leaves: the one difference that there is.
    for (size_t at = 0; (at = told["oci"].find("critical", at)) != std::string::npos;)
      told["oci"].replace(at, strlen("critical"), "high");
    EXPECT_EQ(told["unit"], told["oci"]);
    EXPECT_THAT(told["unit"], testing::HasSubstr(bare ? "root-outside medium" : "root-outside high"));
    EXPECT_EQ(told["unit"].find("privileged high") == std::string::npos, bare);
  }
}

}  // namespace
}  // namespace immure::audit
