// The rows of the default jail, one by one: who the program is, what it may, and what it inherits.
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdlib>

#include "support/living_jail.h"
#include "support/rows.h"

namespace immure::test {
namespace {

constexpr const char* kNoCapability = "0000000000000000";
constexpr unsigned long kFirstOwnId = 0x70000000;  // below it are the ids that hosts hand out

// ---- what stands outside
// --------------------------------------------------------------------------------------------

void caller_in_groups(Scene& scene) {
  scene.dress([](Command& command) {
    command.before_exec([] {
      const gid_t groups[] = {4242, 4243};
      if (setgroups(2, groups) != 0) _exit(98);
    });
  });
}

void caller_with_open_umask(Scene& scene) {
  scene.dress([](Command& command) { command.before_exec([] { umask(022); }); });
}

void caller_with_a_key(Scene& scene) {
  scene.dress([](Command& command) {
    command.before_exec([] {
      syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
      if (syscall(SYS_add_key, "user", "row-canary", "x", 1, KEY_SPEC_SESSION_KEYRING) < 0) _exit(98);
    });
  });
}

void caller_with_secrets(Scene& scene) {
  scene.dress([](Command& command) { command.env("SECRET_TOKEN", "hunter2"); });
}

void caller_with_descriptors(Scene& scene) {
  const int folder = open(scene.dir().path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_GE(folder, 0);
  scene.hold(folder);
  scene.dress([folder](Command& command) { command.pass(5, folder).pass(900, folder); });
}

void caller_with_a_file(Scene& scene) {
  const int file = open(scene.dir().file("file", "text").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  scene.hold(file);
  scene.dress([file](Command& command) { command.pass(5, file); });
}

void caller_with_a_terminal(Scene& scene) {
  scene.dress([](Command& command) { command.terminal(); });
}

void caller_with_odd_state(Scene& scene) {
  scene.dress([](Command& command) {
    command.before_exec([] {
      signal(SIGUSR1, SIG_IGN);
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, SIGUSR2);
      sigprocmask(SIG_BLOCK, &set, nullptr);
      personality(ADDR_NO_RANDOMIZE);
      prctl(PR_SET_TIMERSLACK, 777777);
      if (geteuid() == 0) setpriority(PRIO_PROCESS, 0, -7);
    });
  });
}

// ---- what is seen
// -----------------------------------------------------------------------------------------------------

// The outside id of a map of one line: "1000 1879048193 1".
unsigned long outside_of(const Sight& map) {
  char* end = nullptr;
  std::strtoul(map.text.c_str(), &end, 10);
  return std::strtoul(end, nullptr, 10);
}
bool is_a_foreign_id(const Sights& seen, const Scene&) {
  for (const Sight& map : seen.all) {
    if (outside_of(map) < kFirstOwnId) return false;
  }
  return seen.all.size() == 2;
}

bool has_no_groups(const Sights& seen, const Scene&) {
  return seen[0].ok() && value_of(seen[0].text, "groups").empty();
}
bool is_nobody_special(const Sights& seen, const Scene&) {
  return seen[0].ok() && seen[0].text.find("uid=0/") == std::string::npos && !seen[1].ok() && !seen[2].ok();
}

const char* const kSets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
template <int Which>
bool is_empty(const Sights& seen, const Scene&) {
  return value_of(seen[0].text, kSets[Which]) == kNoCapability;
}

bool bits_are_locked(const Sights& seen, const Scene&) { return seen[0].text == "0xef"; }
bool no_new_privs(const Sights& seen, const Scene&) { return value_of(seen[0].text, "NoNewPrivs") == "1"; }
bool writes_for_itself(const Sights& seen, const Scene&) { return seen[0].text == "077"; }
bool has_three_descriptors(const Sights& seen, const Scene&) { return seen[0].text == "0 1 2"; }
bool knows_no_secret(const Sights& seen, const Scene&) {
  return seen[0].text.find("PATH=") != std::string::npos && seen[0].text.find("hunter2") == std::string::npos;
}
bool leads_no_session_of_the_host(const Sights& seen, const Scene&) {
  return value_of(seen[0].text, "sid") == "1";
}
bool leaves_no_core(const Sights& seen, const Scene&) { return value_of(seen[0].text, "core") == "0/0"; }
bool starts_afresh(const Sights& seen, const Scene&) {
  return seen[0].text == "blocked: ignored:" && seen[1].text == "0";
}

bool has_an_own_terminal(const Sights& seen, const Scene&) {
  struct stat outside {};
  stat("/dev/pts", &outside);
  const std::string callers =
      std::to_string(major(outside.st_dev)) + ":" + std::to_string(minor(outside.st_dev));
  return seen[0].ok() && seen[0].text != callers && seen[1].text.find(" tty") != std::string::npos &&
         seen[2].ok();
}

Can has_keys() {
  const long serial = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
  return {serial > 0, "the kernel has no keyrings"};
}
Can may_dump_core() {
  rlimit limit{};
  getrlimit(RLIMIT_CORE, &limit);
  return {limit.rlim_max != 0, "the host lets nobody here dump core"};
}

std::vector<Row> identity_rows() {
  const std::vector<std::string> one_capability = {"--cap-add", "net_bind_service"};
  const Actions caps = {{"status", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}};
  return {
      {.name = "an identity that nobody else has (S60, S61)",
       .off = {"--user", "4242"},
       .look = {{"cat", "/proc/self/uid_map"}, {"cat", "/proc/self/gid_map"}},
       .holds = is_a_foreign_id,
       .needs = {can_be_root}},
      {.name = "no supplementary groups (S62)",
       .look = {{"ids"}},
       .holds = has_no_groups,
       .arrange = caller_in_groups,
       .needs = {can_be_root}},
      {.name = "no root inside (S60, S67)",
       .off = {"--as-root"},
       .look = {{"ids"}, {"setuid", "0"}, {"setgid", "0"}},
       .holds = is_nobody_special},
      {.name = "the inheritable set is empty (S65)",
       .off = one_capability,
       .look = caps,
       .holds = is_empty<0>},
      {.name = "the permitted set is empty (S65)", .off = one_capability, .look = caps, .holds = is_empty<1>},
      {.name = "the effective set is empty (S65)", .off = one_capability, .look = caps, .holds = is_empty<2>},
      {.name = "the bounding set is empty (S65)",
       .off = {"--need", "capabilities=off"},
       .look = caps,
       .holds = is_empty<3>},
      {.name = "the ambient set is empty (S65)", .off = one_capability, .look = caps, .holds = is_empty<4>},
      {.name = "no capability comes back (S65)",
       .off = one_capability,
       .look = {{"cap-raise", "10"}, {"cap-ambient", "10"}},
       .holds = none_ok},
      {.name = "securebits are set (S65)",
       .off = {"--need", "securebits=off"},
       .look = {{"securebits"}},
       .holds = bits_are_locked},
      {.name = "securebits are locked (S65)",
       .with = {"--cap-add", "setpcap"},
       .off = {"--need", "securebits=off"},
       .look = {{"securebits", "0"}},
       .holds = none_ok},
      {.name = "no_new_privs, and no layer that wants it (S65)",
       .with = {"--seccomp", "none", "--need", "landlock=off"},
       .off = {"--need", "no-new-privs=off"},
       .look = {{"status", "NoNewPrivs"}},
       .holds = no_new_privs},
      {.name = "no_new_privs (S65)",
       .with = {"--cap-add", "sys_admin"},
       .off = {"--need", "no-new-privs=off"},
       .look = {{"status", "NoNewPrivs"}},
       .holds = no_new_privs},
  };
}

std::vector<Row> state_rows() {
  return {
      {.name = "descriptors above 2 are closed (S35, S36, S38)",
       .look = {{"fds"}},
       .holds = has_three_descriptors,
       .arrange = caller_with_descriptors},
      {.name = "a descriptor is passed on purpose alone (S43)",
       .off = {"--pass-fd", "5"},
       .look = {{"fds"}},
       .holds = has_three_descriptors,
       .arrange = caller_with_a_file},
      {.name = "an own session keyring (S72)",
       .with = {"--allow-syscall", "@keyring"},
       .off = {"--need", "keyring=off"},
       .look = {{"key-search", "session", "row-canary"}},
       .holds = none_ok,
       .arrange = caller_with_a_key,
       .needs = {has_keys}},
      {.name = "an own terminal (S132)",
       .off = {"--no-tty"},
       .look = {{"fd-device", "0"}, {"fd", "0"}, {"tty"}},
       .holds = has_an_own_terminal,
       .arrange = caller_with_a_terminal},
      {.name = "an own session (S132)", .look = {{"session"}}, .holds = leads_no_session_of_the_host},
      {.name = "a scrubbed environment (S40)",
       .off = {"--keep-env"},
       .look = {{"env"}},
       .holds = knows_no_secret,
       .arrange = caller_with_secrets},
      {.name = "umask 077 (S40)",
       .look = {{"umask"}},
       .holds = writes_for_itself,
       .arrange = caller_with_open_umask},
      {.name = "no core dumps (S86)",
       .off = {"--weaken", "core-dumps"},
       .look = {{"rlimits"}},
       .holds = leaves_no_core,
       .needs = {may_dump_core}},
      {.name = "signals and personality of its own (S40)",
       .look = {{"signals"}, {"personality"}},
       .holds = starts_afresh,
       .arrange = caller_with_odd_state},
      {.name = "timers and priority of its own (S40)",
       .look = {{"timer-slack"}, {"niceness"}},
       .holds = [](const Sights& seen, const Scene&) { return seen[0].text == "50000" && seen[1].text == "0"; },
       .arrange = caller_with_odd_state},
  };
}

class IdentityRows : public RowTest {};
TEST_P(IdentityRows, HoldsAndCanFail) { judge(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Default, IdentityRows, testing::ValuesIn(identity_rows()), row_name);

class StateRows : public RowTest {};
TEST_P(StateRows, HoldsAndCanFail) { judge(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Default, StateRows, testing::ValuesIn(state_rows()), row_name);

// Being late is no danger, and mostly meant.
TEST_F(JailTest, KeepsTheLowPriorityOfItsCaller_S40) {
  Command command = Jail().probe_command({{"niceness"}});
  Sights seen = sights_of(command.before_exec([] { setpriority(PRIO_PROCESS, 0, 5); }).run());
  ASSERT_FALSE(seen.all.empty()) << seen;
  EXPECT_EQ(seen[0].text, "5") << seen;
}

// (S61) two jails that live at once have two identities; with a user of the host they have one.
TEST_F(JailTest, TwoJailsShareNoIdentity) {
  SKIP_UNLESS(can_be_root());
  auto differ = [](const std::vector<std::string>& options) {
    LivingJail one(options), two(options);
    auto id = [](LivingJail& jail) { return outside_of(jail.probe({{"cat", "/proc/self/uid_map"}})[0]); };
    return id(one) != id(two);
  };
  EXPECT_TRUE(differ({}));
  EXPECT_FALSE(differ({"--user", "4242"}));
}

// (S43) what is passed is listed where the plan is told.
TEST_F(JailTest, PassedDescriptorsAreListed) {
  Outcome plain = immure({"explain", "--", "true"});
  EXPECT_NE(plain.out.find("descriptors     0 1 2\n"), std::string::npos) << plain.out;
  Outcome passed = immure({"explain", "--fd", "9=/etc/passwd:ro", "--", "true"});
  EXPECT_NE(passed.out.find("descriptors     0 1 2 9\n"), std::string::npos) << passed.out << passed.err;
}

}  // namespace
}  // namespace immure::test
