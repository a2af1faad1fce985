// The kernel lies: a call that puts a row of the jail in force is not done and says that it was. What was
// claimed is read back, so the launch refuses, with a sentence that names the layer, and nothing runs.
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <ostream>

#include "support/jail.h"

namespace immure::test {
namespace {

struct Lie {
  const char* name;               // which row it is about, with the features
  const char* call;               // as support/payloads/saboteur.cc has it
  std::vector<std::string> says;  // one of these is in the refusal
  std::vector<Can (*)()> needs = {};
  void (*before)() = nullptr;  // in the launcher, before it starts
  bool late = false;  // seen only when the program is there: it is ended before it has done anything for long
};
std::ostream& operator<<(std::ostream& out, const Lie& lie) { return out << lie.name; }

Can has_memory_group() { return can_use_controller("memory"); }
Can has_process_group() { return can_use_controller("pids"); }
Can has_groups_of_version_1() {
  Can can = can_have_cgroup_v1();
  return can.yes ? can_use_controller("pids") : can;
}

// More than the jail's default, for a host's own limit may be just that.
void have_many_files() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) _exit(98);
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) _exit(98);
}

// What a lie lets loose meets a copy: root's launcher has mounts, a host name and queues that go with it.
void stand_apart() {
  if (geteuid() != 0) return;
  if (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC) != 0) _exit(98);
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) _exit(98);
}

void be_in_groups() {
  const gid_t groups[] = {4242, 4243};
  if (setgroups(2, groups) != 0) _exit(98);
}

const std::vector<Lie> kLies = {
    {"read-only mounts (S31)", "lie:mount_setattr:0x1", {"mount flags"}},
    {"nosuid on trees (S27)", "lie:mount_setattr:0x2", {"mount flags"}},
    {"nodev on trees (S54)", "lie:mount_setattr:0x4", {"mount flags"}},
    {"nosuid on own file systems (S27)", "lie:fsmount:0x2", {"mount flags"}},
    {"nodev on own file systems (S54)", "lie:fsmount:0x4", {"mount flags"}},
    {"noexec on own file systems (S27)", "lie:fsmount:0x8", {"mount flags"}},
    {"bytes of tmp (S90)", "lie:fsconfig:size", {"mount flags"}},
    {"inodes of tmp (S90)", "lie:fsconfig:nr_inodes", {"mount flags"}},
    {"hidepid (S28)", "lie:fsconfig:hidepid", {"mount flags"}},
    {"terminals of the devpts (S132)", "lie:fsconfig:max", {"mount flags"}},
    {"the pivot (S1)", "lie:pivot_root", {"mount flags", "pivoted root"}},
    {"the old root detached (S1, S76)", "lie:umount2", {"mount flags", "pivoted root"}},
    {"masked files of proc (S28)", "lie:mount:/proc/cmdline", {"mount flags"}},
    {"masked boot_id (S28)", "lie:mount:/boot_id", {"mount flags"}, {}},
    {"masked directories of proc (S28)", "lie:mount:/proc/irq", {"mount flags"}},

    {"user namespace (S74)", "lie:clone3:0x10000000", {"user"}, {can_be_user}},
    {"mount namespace (S74)", "lie:clone3:0x20000", {"mount namespace"}},
    {"pid namespace (S74)", "lie:clone3:0x20000000", {"pid namespace"}},
    {"network namespace (S74)", "lie:clone3:0x40000000", {"network namespace"}},
    {"cgroup and time namespace (S74)", "lie:unshare", {"namespace"}, {can_be_user}},
    {"ipc namespace (S74)", "lie:clone3:0x08000000", {"ipc namespace"}},
    {"uts namespace (S74)", "lie:clone3:0x04000000", {"uts namespace"}},
    {"the clocks' offsets (S106)", "lie:write:timens_offsets", {"time namespace"}},

    {"user ids (S60)", "lie:write:/uid_map", {"user 1000"}},
    {"group ids (S60)", "lie:write:/gid_map", {"groups", "group 1000"}},
    {"supplementary groups (S62)", "lie:setgroups", {"user namespace"}, {can_be_root}, be_in_groups},
    {"the group (S62)", "lie:setresgid", {"user namespace"}, {can_be_root}},
    {"the user (S60)", "lie:setresuid", {"user namespace"}, {can_be_root}},
    {"the bounding set (S65)", "lie:prctl:24", {"capabilities"}},
    {"the other sets (S65)", "lie:capset", {"capabilities"}},
    {"securebits (S65)", "lie:prctl:28", {"securebits"}},
    {"no_new_privs (S65)", "lie:prctl:38", {"no_new_privs"}},
    {"pid 1 that nobody reads (S28)", "lie:prctl:4", {"undumpable"}},
    {"the end with the supervisor (S76)", "lie:prctl:1", {"supervisor"}},
    {"the session keyring (S72)", "lie:keyctl", {"session keyring"}},
    {"Landlock (S72)", "lie:landlock_restrict_self", {"Landlock"}, {[] { return can_use_landlock(1); }}},
    {"the host name (S84)", "lie:sethostname", {"host name"}},
    {"an own session (S132)", "lie:setsid", {"session"}},
    {"memory files that are not run (S27)", "lie:write:/memfd_noexec", {"memfd_noexec"}, {has_memfd_noexec}},
    {"the filter (S93)", "lie:seccomp:0x28", {"system call filter"}, {}, nullptr, true},
    {"the filter of pid 1 (S93)", "lie:seccomp:0", {"system call filter"}, {}, nullptr, true},
    {"descriptors of pid 1 (S36)", "lie:close_range:2", {"pid 1"}, {}, nullptr, true},
    {"umask (S40)", "lie:umask", {"umask"}},

    {"memory of the jail (S87)",
     "lie:write:memory.limit_in_bytes",
     {"memory.limit_in_bytes"},
     {can_have_cgroup_v1, has_memory_group}},
    {"processes of the jail (S87)", "lie:write:/pids.max", {"pids.max"}, {has_process_group}},
    {"membership of the group (S87)", "lie:write:/tasks", {"control group"}, {has_groups_of_version_1}},
    {"the size of a file (S86)", "lie:prlimit64:1", {"resource limits"}},
    {"core dumps (S86)", "lie:prlimit64:4", {"resource limits"}},
    {"processes of one identity (S86)", "lie:prlimit64:6", {"resource limits"}},
    {"open files (S39)", "lie:prlimit64:7", {"resource limits"}, {}, have_many_files},
    {"descriptors of the program (S36)", "lie:close_range:3", {"descriptor"}},
};

class Lies : public JailTest, public testing::WithParamInterface<Lie> {};

TEST_P(Lies, AreFoundOut) {
  const Lie& lie = GetParam();
  for (Can (*needed)() : lie.needs) SKIP_UNLESS(needed());
  TempDir folder;
  const std::string report = folder / "report";
  Command launch({payload("saboteur"), report, "any", "0", lie.call, immure_path()});
  Actions actions = {{"echo", "it", "runs"}};
  if (lie.late) actions.insert(actions.begin(), {"sleep", "5"});
  launch.args(Jail().run_words()).arg(std::string(kPayloadsInside) + "/probe").args(probe_words(actions));
  launch.before_exec([&lie] {
    stand_apart();
    if (lie.before != nullptr) lie.before();
  });
  const int leaked = open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  launch.pass(5, leaked);  // by who started the launcher
  Outcome outcome = launch.run();
  close(leaked);
  EXPECT_NE(read_file(report).find("hit "), std::string::npos)
      << lie.call << ": the launch makes no such call";
  EXPECT_EQ(outcome.status, 125) << lie.call << ": it was not found out\n" << outcome.err;
  EXPECT_EQ(outcome.out, "") << lie.call << ": the program ran";
  EXPECT_TRUE(
      std::any_of(lie.says.begin(), lie.says.end(),
                  [&](const std::string& layer) { return outcome.err.find(layer) != std::string::npos; }))
      << lie.call << ": no word of " << lie.says[0] << "\n"
      << outcome.err;
}

INSTANTIATE_TEST_SUITE_P(OfTheKernel, Lies, testing::ValuesIn(kLies),
                         [](const testing::TestParamInfo<Lie>& info) {
                           std::string name;
                           for (const char* at = info.param.name; *at != '\0'; ++at) {
                             const bool plain = std::isalnum(static_cast<unsigned char>(*at)) != 0;
                             if (plain) name += *at;
                             if (!plain && !name.empty() && name.back() != '_') name += '_';
                           }
                           while (!name.empty() && name.back() == '_') name.pop_back();
                           return name;
                         });

// The control: with nobody lying the same launch runs, and a lie about a call that it does not make changes
// nothing.
TEST_F(JailTest, RunsWithNobodyLying) {
  TempDir folder;
  const std::string report = folder / "report";
  Command launch({payload("saboteur"), report, "any", "0", "lie:reboot", immure_path()});
  launch.args(Jail().run_words())
      .arg(std::string(kPayloadsInside) + "/probe")
      .args(probe_words({{"echo", "it", "runs"}}));
  Outcome outcome = launch.run();
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "echo: ok it runs\n");
  EXPECT_EQ(read_file(report), "");
}

}  // namespace
}  // namespace immure::test
