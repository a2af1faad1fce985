// The default jail: what a program finds in it without any option. Each test looks from inside, and where the action
// would work outside, a control shows that it does.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/jail.h"

namespace immure::test {
namespace {

class DefaultJail : public JailTest {};

TEST_F(DefaultJail, PassesTheProgramsStatusThrough) {
  for (int status : {0, 1, 42, 124}) {
    Sights seen = Jail().probe({{"exit", std::to_string(status)}});
    EXPECT_EQ(seen.outcome.status, status) << seen;
  }
  EXPECT_EQ(Jail().probe({{"die", "15"}}).outcome.status, 128 + 15);
  EXPECT_EQ(Jail().probe({{"die", "9"}}).outcome.status, 128 + 9);
}

TEST_F(DefaultJail, KeepsTheStreamsApart) {
  Sights seen = Jail().probe({{"echo", "to-out"}, {"stderr", "to-err"}});
  EXPECT_NE(seen.outcome.out.find("to-out"), std::string::npos) << seen;
  EXPECT_EQ(seen.outcome.out.find("to-err"), std::string::npos) << seen;
  EXPECT_NE(seen.outcome.err.find("to-err"), std::string::npos) << seen;
  EXPECT_EQ(sights_of(Jail().probe_command({{"stdin"}}).input("some text").run())[0].text, "some text");
}

// A program that opens /dev/stderr anew gets what its descriptor gives, and no more. (A file's owner is
// somebody else in root's jails, so there everybody must be allowed to write it.)
TEST_F(DefaultJail, OpensItsStandardFilesAnewAsTheyAreOpen) {
  TempDir dir;
  const std::string log = dir.file("log", "12345");
  chmod(log.c_str(), 0777);
  auto seen_with = [&](const char* file, int flags) {
    Command probe = Jail().probe_command({{"open", "/dev/stdin", "r"},
                                          {"open", "/dev/stdin", "w"},
                                          {"open", "/dev/stdin", "rw"},
                                          {"exec", "/dev/stdin"}});
    probe.before_exec([file = std::string(file), flags] { dup2(open(file.c_str(), flags | O_CLOEXEC), 0); });
    return sights_of(probe.run());
  };
  Sights reads = seen_with(log.c_str(), O_RDONLY), writes = seen_with(log.c_str(), O_WRONLY),
         both = seen_with(log.c_str(), O_RDWR);
  EXPECT_EQ(reads[0].verdict + reads[1].verdict + reads[2].verdict, "okEACCESEACCES") << reads;
  EXPECT_EQ(writes[0].verdict + writes[1].verdict + writes[2].verdict, "EACCESokEACCES") << writes;
  EXPECT_EQ(both[0].verdict + both[1].verdict + both[2].verdict, "okokok") << both;
  for (const Sights* seen : {&reads, &writes, &both}) EXPECT_EQ((*seen)[3].verdict, "EACCES") << *seen;
  EXPECT_TRUE(seen_with("/dev/null", O_WRONLY)[1].ok());
  EXPECT_EQ(seen_with("/dev/null", O_PATH)[1].verdict, "EACCES");
}

// What is there anyway can be asked for.
TEST_F(DefaultJail, HasItsOwnNodesWhenTheyAreAskedFor) {
  Sights seen = Jail()
                    .options({"--dev", "/dev/null", "--dev", "/dev/urandom", "-v"})
                    .probe({{"write", "/dev/null", "x"}});
  EXPECT_TRUE(seen[0].ok()) << seen;
  EXPECT_EQ(seen.outcome.err.find("weakened"), std::string::npos) << seen;
}

TEST_F(DefaultJail, TellsMissingAndUnusableProgramsApart_S2) {
  Outcome missing = Jail().command({"/no/such/program"}).run();
  EXPECT_EQ(missing.status, 127) << missing.err;
  EXPECT_NE(missing.err.find("/no/such/program"), std::string::npos) << missing.err;
  Outcome folder = Jail().command({"/usr"}).run();
  EXPECT_EQ(folder.status, 126) << folder.err;
}

// (S60, S65) every capability set is empty, the bounding set too, and stays so.
TEST_F(DefaultJail, HasNoPrivilege) {
  Sights seen = Jail().probe({{"status", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"},
                              {"ids"},
                              {"securebits"},
                              {"cap-raise", "21"},
                              {"setuid", "0"},
                              {"setgroups"}});
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    EXPECT_EQ(value_of(seen[0].text, set), "0000000000000000") << set << seen;
  }
  EXPECT_EQ(value_of(seen[0].text, "NoNewPrivs"), "1") << seen;
  EXPECT_EQ(value_of(seen[0].text, "Seccomp"), "2") << seen;
  // Without root no group can be dropped: the caller's shows as what the jail maps it to, or as nobody's.
  if (is_root()) {
    EXPECT_EQ(value_of(seen[1].text, "groups"), "") << seen;
  }
  EXPECT_EQ(seen[1].text.find("uid=0/"), std::string::npos) << seen;
  EXPECT_FALSE(seen[3].ok()) << seen;
  EXPECT_FALSE(seen[4].ok()) << seen;
  EXPECT_FALSE(seen[5].ok()) << seen;
}

// (S1, S9, S45) no way up leads out.
TEST_F(DefaultJail, HoldsEveryWalkToTheOutside) {
  TempDir outside;
  const std::string mark = outside.file("mark", "here");
  Actions walks = {{"walk-up", mark}, {"chroot-walk", mark, "/tmp"}, {"chroot-fchdir", mark, "/tmp"},
                   {"proc-walk", mark}, {"any-fd", mark}, {"pivot-back", mark}};
  Sights seen = Jail().probe(walks);
  ASSERT_EQ(seen.all.size(), walks.size()) << seen;
  for (const Sight& sight : seen.all) EXPECT_FALSE(sight.ok()) << sight;
  EXPECT_TRUE(unjailed({{"walk-up", mark}})[0].ok());
  if (is_root()) {
    EXPECT_TRUE(unjailed({{"chroot-walk", mark, outside.path()}})[0].ok());
  }
}

// (S35, S36, S38) descriptors that the caller left open stay outside, high ones too.
TEST_F(DefaultJail, ClosesInheritedDescriptors_S37) {
  TempDir outside;
  const std::string mark = outside.file("mark", "here");
  int folder = open(outside.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  Command command = Jail().probe_command({{"fds"}, {"any-fd", mark}});
  for (int number : {5, 17, 900}) command.pass(number, folder);
  Sights seen = sights_of(command.run());
  EXPECT_EQ(seen[0].text, "0 1 2") << seen;
  EXPECT_FALSE(seen[1].ok()) << seen;
  Sights control = sights_of(Command({payload("probe")}).args(probe_words({{"any-fd", mark}})).pass(900, folder).run());
  EXPECT_TRUE(control[0].ok()) << control;
  close(folder);
}

// (S68) it sees its own processes and reaches no other.
TEST_F(DefaultJail, SeesOnlyItsOwnProcesses) {
  const std::string self = std::to_string(getpid());
  Sights seen = Jail().probe({{"pids"}, {"kill", self}, {"ptrace", "1"}});
  // The probe, and its child that looks; pid 1 is immure's own and may be hidden.
  EXPECT_TRUE(seen[0].ok()) << seen;
  EXPECT_LE(seen[0].text.size(), 5u) << seen;
  EXPECT_EQ(seen[1].verdict, "ESRCH") << seen;
  EXPECT_FALSE(seen[2].ok()) << seen;
  EXPECT_TRUE(unjailed({{"kill", self}})[0].ok());
}

// (S27, S67) what would take the walls down is refused.
TEST_F(DefaultJail, RefusesMountsNodesAndNamespaces) {
  Sights seen = Jail().probe({{"mount", "none", "/tmp", "tmpfs"},
                              {"umount", "/proc"},
                              {"remount-rw", "/usr"},
                              {"mknod", "/tmp/null", "c", "1", "3"},
                              {"unshare", "user"},
                              {"clone", "user"},
                              {"setns", "/proc/1/ns/mnt"},
                              {"open", "/usr/planted", "create"}});
  ASSERT_EQ(seen.all.size(), 8u) << seen;
  for (const Sight& sight : seen.all) EXPECT_FALSE(sight.ok()) << sight;
}

// Nothing of the host's users, and no secret, is there to be read.
TEST_F(DefaultJail, ShowsNothingOfTheHostsUsers) {
  TempDir outside;
  const std::string secret = outside.file("secret", "text");
  Sights seen = Jail().probe({{"cat", secret}, {"open", "/etc/shadow"}, {"list", "/home"}, {"list", "/root"}, {"cat", "/etc/passwd"}});
  EXPECT_EQ(seen[0].verdict, "ENOENT") << seen;
  EXPECT_EQ(seen[1].verdict, "ENOENT") << seen;
  EXPECT_EQ(seen[2].text, "") << seen;
  EXPECT_EQ(seen[3].text, "") << seen;
  EXPECT_TRUE(seen[4].ok()) << seen;
  EXPECT_TRUE(unjailed({{"cat", secret}})[0].ok());
}

// The environment is scrubbed, a loopback is the only network.
TEST_F(DefaultJail, HasItsOwnEnvironmentAndNetwork) {
  Sights seen = sights_of(
      Jail().probe_command({{"env"}, {"interfaces"}, {"loopback"}, {"umask"}}).env("SECRET_TOKEN", "hunter2").run());
  EXPECT_TRUE(seen[0].ok()) << seen;
  EXPECT_EQ(seen[0].text.find("hunter2"), std::string::npos) << seen;
  EXPECT_NE(seen[0].text.find("PATH="), std::string::npos) << seen;
  EXPECT_EQ(seen[1].text, "lo") << seen;
  EXPECT_TRUE(seen[2].ok()) << seen;
  EXPECT_EQ(seen[3].text, "077") << seen;
}

TEST_F(DefaultJail, WritesNoAccessTimesOnItsOwnFileSystems_S107) {
  const std::string mounts = Jail().probe({{"cat", "/proc/self/mountinfo"}}).outcome.out;
  const std::string host = unjailed({{"cat", "/proc/self/mountinfo"}}).outcome.out;
  for (const char* place : {" / / ", " / /tmp ", " / /dev ", " / /dev/shm "}) {
    const size_t at = mounts.find(place);
    ASSERT_NE(at, std::string::npos) << place;
    EXPECT_EQ(mounts.substr(at, mounts.find(" - ", at) - at).find("relatime"), std::string::npos) << place << mounts;
  }
  EXPECT_NE(host.find("relatime"), std::string::npos) << "the control: the host writes them";
}

// An identity is a number, so the root need not know it.
TEST_F(DefaultJail, IsAUserOfTheHostInARootWithoutUsers_S63) {
  SKIP_UNLESS(can_be_root());
  TempDir dir;
  make_root(dir, "root");
  Jail jail;
  jail.options({"--root", dir / "root", "--user", "65534"});
  Outcome outcome = jail.command({std::string(kPayloadsInside) + "/probe", "status", "Uid"}).run();
  EXPECT_NE(outcome.out.find("65534"), std::string::npos) << outcome.out << outcome.err;
}

// What takes privilege to open is opened before the jail is made, and handed in.
TEST_F(DefaultJail, ReadsAFileThatOnlyItsMakerMayOpen_S64) {
  TempDir dir;
  const std::string file = dir.file("key", "of the maker", 0600);
  Jail jail;
  jail.options({"--fd", "7=" + file + ":ro"});
  Sights seen = jail.probe({{"fd-read", "7"}, {"fd-write", "7", "x"}, {"open", file, "r"}});
  EXPECT_EQ(seen[0].text, "of the maker") << seen;
  EXPECT_FALSE(seen[1].ok()) << seen;
  EXPECT_EQ(seen[2].verdict, "ENOENT") << seen;
}

TEST_F(DefaultJail, TellsWhatTheGroupCounted_S88) {
  SKIP_UNLESS(can_use_controller("memory"));
  Jail jail;
  jail.options({"--json", "--memory", "64M"});
  Outcome outcome = jail.probe_command({{"echo", "it"}}).run();
  const size_t at = outcome.err.find("\"memory_peak\":");
  ASSERT_NE(at, std::string::npos) << outcome.err;
  const long peak = std::atol(outcome.err.c_str() + at + 14);
  EXPECT_GT(peak, 4096);
  EXPECT_LT(peak, 64 << 20);
  EXPECT_NE(outcome.err.find("\"pids_peak\":"), std::string::npos);
}

}  // namespace
}  // namespace immure::test
