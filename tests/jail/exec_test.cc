// (S77) A second program in a running jail: what it gets is what the jail's first program has, and never more.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "support/living_jail.h"

namespace immure::test {
namespace {

class Exec : public JailTest {};

// Everything that a program can find out about itself, and what it may try: the answers of who was started in the
// jail and of who entered it are the same.
TEST_F(Exec, HasWhatTheJailsOwnProgramHas) {
  TempDir outside;
  const std::string mark = outside.file("mark", "here");
  const Actions actions = {
      {"status", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters"},
      {"ids"}, {"securebits"}, {"umask"}, {"hostname"}, {"interfaces"}, {"fds"}, {"cwd"}, {"rlimits"}, {"personality"}, {"timer-slack"}, {"niceness"},
      {"open", "/etc/shadow"}, {"open", "/usr/planted", "create"}, {"open", "/tmp/fine", "create"}, {"open", "/proc/sys/kernel/hostname", "w"},
      {"mount", "none", "/tmp", "tmpfs"}, {"umount", "/proc"}, {"mknod", "/tmp/null", "c", "1", "3"}, {"unshare", "user"},
      {"clone", "user"}, {"clone", "0x8000"}, {"clone3", "user"}, {"setns", "/proc/self/ns/mnt"}, {"cap-raise", "21"}, {"setuid", "0"}, {"setgroups"},
      {"socket", "packet", "raw"}, {"socket", "vsock", "stream"}, {"socket", "inet", "stream"}, {"bpf"}, {"perf"}, {"io-uring"},
      {"userfaultfd"}, {"add-key", "x"}, {"memfd-exec"}, {"ptrace-child"}, {"walk-up", mark}, {"chroot-walk", mark, "/tmp"}, {"any-fd", mark},
      {"proc-walk", mark}, {"pivot-back", mark}, {"ptrace", "1"}, {"tiocsti", "0"}};
  Sights own = Jail().probe(actions);
  LivingJail jail;
  ASSERT_FALSE(jail.name().empty());
  Sights entered = jail.probe(actions);
  ASSERT_EQ(own.all.size(), actions.size()) << own;
  ASSERT_EQ(entered.all.size(), actions.size()) << entered;
  for (size_t i = 0; i < actions.size(); i++) {
    EXPECT_EQ(entered[i].verdict, own[i].verdict) << actions[i][0] << entered;
    EXPECT_EQ(entered[i].text, own[i].text) << actions[i][0];
  }
}

TEST_F(Exec, TellsItsLayersWhenAsked) {
  LivingJail jail({"--need", "time-ns=off"});
  Outcome told = immure({"exec", "-v", jail.name(), "--", "true"});
  EXPECT_EQ(told.status, 0) << told.err;
  EXPECT_NE(told.err.find("in the jail '" + jail.name() + "'"), std::string::npos) << told.err;
  EXPECT_NE(told.err.find("mount flags           in force  the jail's"), std::string::npos) << told.err;
  EXPECT_NE(told.err.find("time namespace        off"), std::string::npos) << told.err;
  EXPECT_EQ(immure({"exec", jail.name(), "--", "true"}).err, "");
}

TEST_F(Exec, IsInspectedByTheJailsName) {
  LivingJail jail;
  Outcome seen = immure({"inspect", jail.name()});
  EXPECT_EQ(seen.status, 0) << seen.err;
  EXPECT_EQ(seen.out.find("process "), 0u) << seen.out;
  EXPECT_NE(seen.out.find("seccomp"), std::string::npos) << seen.out;
}

TEST_F(Exec, IsInTheSameNamespacesAndGroups) {
  LivingJail jail;
  Sights entered = jail.probe({{"namespaces"}, {"cat", "/proc/self/cgroup"}, {"open", "/tmp/from-exec", "create"}, {"sleep", "0"}});
  Running waiting = jail.exec({std::string(kPayloadsInside) + "/probe", "echo", "in", ",", "sleep", "60"}).start();
  ASSERT_TRUE(waiting.wait_for("in")) << waiting.out();
  // Seen from outside: the program of the jail and the one that entered it.
  pid_t first = -1, second = -1;
  for (const std::string& pid : list_dir("/proc")) {
    std::string children = read_file("/proc/" + pid + "/task/" + pid + "/children");
    if (std::atoi(pid.c_str()) == jail.init()) first = std::atoi(children.c_str());
  }
  std::string keeper = read_file("/proc/" + std::to_string(waiting.pid()) + "/task/" + std::to_string(waiting.pid()) + "/children");
  for (const std::string& word : lines_of(keeper)) {
    for (size_t at = 0; at < word.size();) {
      size_t end = std::min(word.find(' ', at), word.size());
      std::string pid = word.substr(at, end - at);
      at = end + 1;
      int child = std::atoi(read_file("/proc/" + pid + "/task/" + pid + "/children").c_str());
      if (child > 0) second = child;
    }
  }
  ASSERT_GT(first, 0);
  ASSERT_GT(second, 0);
  auto link = [](pid_t pid, const std::string& name) {
    char text[64] = {};
    std::string path = "/proc/" + std::to_string(pid) + "/ns/" + name;
    return readlink(path.c_str(), text, sizeof text - 1) > 0 ? std::string(text) : "unreadable";
  };
  for (const char* name : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"}) {
    EXPECT_EQ(link(first, name), link(second, name)) << name;
    EXPECT_NE(link(second, name), link(getpid(), name)) << name;
  }
  EXPECT_EQ(read_file("/proc/" + std::to_string(first) + "/cgroup"), read_file("/proc/" + std::to_string(second) + "/cgroup"));
  waiting.signal(SIGTERM);
  EXPECT_EQ(waiting.wait().status, 128 + SIGTERM);
}

TEST_F(Exec, KeepsWhatWasLoosenedAndNothingElse) {
  LivingJail jail({"--weaken", "ptrace", "--allow-syscall", "bpf", "--deny-syscall", "chmod", "--memory", "64M", "--open-files", "33"});
  Sights entered = jail.probe({{"ptrace-child"}, {"bpf"}, {"chmod", "/tmp", "0700"}, {"rlimits"}, {"userfaultfd"}});
  EXPECT_TRUE(entered[0].ok()) << entered;
  EXPECT_EQ(entered[2].verdict, "EPERM") << entered;
  EXPECT_NE(entered[3].text.find("nofile=33"), std::string::npos) << entered;
  EXPECT_FALSE(entered[4].ok()) << entered;
}

TEST_F(Exec, PassesStatusStreamsAndErrorsOn) {
  LivingJail jail;
  EXPECT_EQ(jail.probe({{"exit", "42"}}).outcome.status, 42);
  EXPECT_EQ(jail.probe({{"die", "9"}}).outcome.status, 128 + 9);
  Outcome streams = jail.exec_probe({{"echo", "to-out"}, {"stderr", "to-err"}, {"stdin"}}).input("from-in").run();
  EXPECT_NE(streams.out.find("to-out"), std::string::npos) << streams.out;
  EXPECT_NE(streams.out.find("from-in"), std::string::npos) << streams.out;
  EXPECT_EQ(streams.out.find("to-err"), std::string::npos);
  EXPECT_NE(streams.err.find("to-err"), std::string::npos);
  EXPECT_EQ(jail.exec({"no-such-program"}).run().status, 127);
  EXPECT_EQ(jail.exec({"/usr"}).run().status, 126);
  Outcome unknown = immure({"exec", jail.name() + "x", "--", "true"});
  EXPECT_EQ(unknown.status, 125);
  EXPECT_NE(unknown.err.find("did you mean " + jail.name()), std::string::npos) << unknown.err;
  Outcome wider = immure({"exec", jail.name(), "--weaken", "ptrace", "--", "true"});
  EXPECT_EQ(wider.status, 125);
  EXPECT_NE(wider.err.find("--weaken"), std::string::npos) << wider.err;
}

// (S35, S36) descriptors of the caller stay outside, and a directory as standard input is refused.
TEST_F(Exec, HandsNoDescriptorIn) {
  TempDir outside;
  const std::string mark = outside.file("mark", "here");
  int folder = open(outside.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  LivingJail jail;
  Command command = jail.exec_probe({{"fds"}, {"any-fd", mark}});
  for (int number : {5, 900}) command.pass(number, folder);
  Sights seen = sights_of(command.run());
  EXPECT_EQ(seen[0].text, "0 1 2") << seen;
  EXPECT_FALSE(seen[1].ok()) << seen;
  Outcome walk = jail.exec({"/usr/bin/true"}).pass(0, folder).run();
  EXPECT_EQ(walk.status, 125) << walk.err;
  EXPECT_NE(walk.err.find("directory"), std::string::npos) << walk.err;
  close(folder);
}

TEST_F(Exec, ScrubsTheEnvironmentAndTakesItsOwn) {
  LivingJail jail({"--env", "JAILS=secret", "--pass-env", "PASSED"});
  Sights seen = sights_of(immure_command({"exec", jail.name(), "--env", "MINE=yes", "--cwd", "/usr", "--", std::string(kPayloadsInside) + "/probe",
                                          "env", ",", "cwd"})
                              .env("SECRET_TOKEN", "hunter2").env("PASSED", "on").run());
  EXPECT_NE(seen[0].text.find("MINE=yes"), std::string::npos) << seen;
  EXPECT_NE(seen[0].text.find("PASSED"), std::string::npos) << seen;
  EXPECT_EQ(seen[0].text.find("hunter2"), std::string::npos) << seen;
  EXPECT_EQ(read_file(state_dir() + "/" + jail.name() + ".json").find("secret"), std::string::npos);
  EXPECT_EQ(seen[1].text, "/usr") << seen;
}

TEST_F(Exec, HasATerminalOfTheJails) {
  LivingJail jail;
  Running shell = jail.exec({"/bin/sh"}).terminal(30, 90).start();
  ASSERT_TRUE(shell.write("tty; stty size; echo d''one\n"));
  ASSERT_TRUE(shell.wait_for("done")) << shell.out();
  EXPECT_NE(shell.out().find("/dev/pts/"), std::string::npos) << shell.out();
  EXPECT_NE(shell.out().find("30 90"), std::string::npos) << shell.out();
  shell.write("exit 7\n");
  EXPECT_EQ(shell.wait().status, 7);
}

// Whoever enters ends with its supervisor, even when it has taken the parent-death signal off.
TEST_F(Exec, EndsWithItsSupervisor) {
  LivingJail jail;
  for (const char* signal : {"9", "0"}) {
    Running entered = jail.exec_probe({{"pdeathsig", signal}, {"echo", "in"}, {"sleep", "60"}}).start();
    ASSERT_TRUE(entered.wait_for("echo: ok")) << entered.out();
    auto in_jail = [&] {
      int count = 0;
      for (const std::string& pid : list_dir("/proc")) {
        std::string line = read_file("/proc/" + pid + "/cmdline");
        if (line.find(std::string("echo\0in", 7)) != std::string::npos && line.find(std::string("exec\0", 5)) == std::string::npos) count++;
      }
      return count;
    };
    EXPECT_EQ(in_jail(), 1) << signal;
    entered.signal(SIGKILL);
    EXPECT_TRUE(eventually([&] { return in_jail() == 0; })) << signal;
  }
}

TEST_F(Exec, EndsWithTheJail) {
  LivingJail jail;
  Running entered = jail.exec({std::string(kPayloadsInside) + "/probe", "echo", "in", ",", "sleep", "60"}).start();
  ASSERT_TRUE(entered.wait_for("in")) << entered.out();
  EXPECT_EQ(jail.end().status, 128 + SIGKILL);
  EXPECT_EQ(entered.wait().status, 128 + SIGKILL);
}

// (CVE-2016-9962) a program of the jail that looks at whatever shows up, while others enter, finds nothing of theirs.
TEST_F(Exec, ShowsNothingOfItsOwnWhileItEnters) {
  TempDir outside;
  outside.file("mark", "here");
  const std::string hunt =
      "echo up; n=0; while [ $n -lt 100000 ]; do n=$((n+1)); for p in /proc/[0-9]*; do "
      "for d in $p/fd/* $p/root $p/cwd $p/exe; do [ -e $d/mark ] && echo FOUND $d; "
      "case $(readlink $d 2>/dev/null) in *immure*) echo FOUND $d;; esac; done; done; done";
  LivingJail jail({"--need", "landlock=off"}, {"/bin/sh", "-c", hunt});
  ASSERT_FALSE(jail.name().empty());
  int folder = open(outside.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; i < 30; i++) {
    Command command = jail.exec({"/usr/bin/true"});
    EXPECT_EQ(command.pass(7, folder).cwd(outside.path()).run().status, 0);
  }
  close(folder);
  Outcome ended = jail.end();
  EXPECT_EQ(ended.out.find("FOUND"), std::string::npos) << ended.out;
}

// The jail's own program can make the one that enters start immure's file again ("#!/proc/self/exe"); it must get no
// hold of that file. (CVE-2019-5736)
TEST_F(Exec, CannotBeMadeToRunItself) {
  LivingJail jail({"--tmpfs", "/box:1M:exec"}, {"/bin/sh", "-c", "printf '#!/proc/self/exe\\n' > /box/trap; chmod 755 /box/trap; echo up; sleep 60"});
  ASSERT_FALSE(jail.name().empty());
  ASSERT_TRUE(jail.running().wait_for("up"));
  Outcome trapped = jail.exec({"/box/trap"}).run();
  EXPECT_NE(trapped.status, 0);
  EXPECT_EQ(trapped.status, 126) << trapped.err;
}

}  // namespace
}  // namespace immure::test
