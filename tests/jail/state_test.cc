// What is known of running jails from outside: ps, kill, freeze and thaw, and what is cleared away after a crash.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/living_jail.h"

namespace immure::test {
namespace {

class States : public JailTest {
 protected:
  std::string file(const LivingJail& jail) { return state_dir() + "/" + jail.name() + ".json"; }
  // Gone, or dead and not yet looked after by whoever took it over.
  static bool has_ended(pid_t pid) {
    char state = state_of(pid);
    return state == '-' || state == 'Z';
  }
  // The letter of /proc/PID/stat.
  static char state_of(pid_t pid) {
    std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
    size_t after = stat.rfind(')');
    return after == std::string::npos ? '-' : stat[after + 2];
  }
};

TEST_F(States, AreShownWhileTheJailRuns) {
  std::string name;
  {
    LivingJail jail;
    name = jail.name();
    Outcome list = immure({"ps"});
    EXPECT_NE(list.out.find(name), std::string::npos) << list.out;
    EXPECT_NE(immure({"ps", "--names"}).out.find(name + "\n"), std::string::npos);
    std::string json = immure({"ps", "--json"}).out;
    EXPECT_NE(json.find("\"name\":\"" + name + "\",\"state\":\"running\",\"init_pid\":" + std::to_string(jail.init())), std::string::npos) << json;
    struct stat st {};
    ASSERT_EQ(stat(file(jail).c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0600u);
  }
  EXPECT_EQ(immure({"ps"}).out.find(name), std::string::npos);
}

// A program that could write there as its caller would choose what `immure kill` ends.
TEST_F(States, AreNotWithinReachOfAProgram) {
  ASSERT_EQ(immure({"run", "--", "true"}).status, 0) << "the folder is made";
  TempDir dir;
  const std::string folder = state_dir(), above = folder.substr(0, folder.rfind('/')), link = dir / "link";
  ASSERT_EQ(symlink(above.c_str(), link.c_str()), 0);
  mkdir((folder + "/deeper").c_str(), 0700);
  for (const std::string& source : {folder, above, above + "/./", folder + "/../immure", folder + "/deeper", link + "/immure"}) {
    Outcome refused = immure({"run", "--bind", source + ":/mnt", "--", "true"});
    EXPECT_EQ(refused.status, 125) << source << refused.err;
    EXPECT_NE(refused.err.find("cannot be granted for writing"), std::string::npos) << source << refused.err;
    EXPECT_EQ(immure({"explain", "--bind", source + ":/mnt", "--", "true"}).status, 125) << source;
    EXPECT_EQ(immure({"run", "--ro-bind", source + ":/mnt", "--", "true"}).status, 0) << source << ": to read is not to write";
  }
  rmdir((folder + "/deeper").c_str());
  mkdir((dir / "open").c_str(), 0777);
  chmod((dir / "open").c_str(), 0777);
  EXPECT_EQ(immure({"run", "--bind", dir / "open" + ":/mnt", "--", "true"}).status, 0);
}

TEST_F(States, ANameIsTakenOnce) {
  LivingJail jail;
  Outcome second = immure({"run", "--name", jail.name(), "--", "true"});
  EXPECT_EQ(second.status, 125) << second.err;
  EXPECT_NE(second.err.find("is taken"), std::string::npos) << second.err;
  EXPECT_NE(immure({"ps"}).out.find(jail.name()), std::string::npos) << "the first one is still known";
  jail.end();
  EXPECT_EQ(immure({"run", "--name", jail.name(), "--", "true"}).status, 0) << "and its name is free again";
  EXPECT_EQ(immure({"run", "--name", jail.name(), "--", "/no/such"}).status, 127);
  EXPECT_EQ(immure({"run", "--name", jail.name(), "--bind", "/no/such", "--", "true"}).status, 125);
  EXPECT_EQ(immure({"run", "--name", jail.name(), "--", "true"}).status, 0) << "a start that failed keeps no name";
}

// What a jail leaves behind that was killed together with its watchdog: a group by the number of its process.
class LeftGroup {
 public:
  // Made in the child, which then becomes immure.
  explicit LeftGroup(Command& command) {
    command.before_exec([] {
      for (const std::string& path : LeftGroup::paths(getpid())) mkdir(path.c_str(), 0755);
    });
  }
  static bool remove(int pid) {
    bool was_there = true;
    for (const std::string& path : paths(pid)) was_there = rmdir(path.c_str()) == 0 && was_there;
    return was_there;
  }

 private:
  static std::vector<std::string> paths(int pid) {
    const std::string group = "/sys/fs/cgroup/pids/immure-jail-" + std::to_string(pid);
    return {group, group + "-2"};
  }
};

TEST_F(States, AGroupThatWasLeftBehindIsNoObstacle) {
  SKIP_UNLESS(can_have_cgroup_v1());
  SKIP_UNLESS(can_use_controller("pids"));
  Command command({immure_path(), "run", "--need", "cgroup=require", "--json", "--", "true"});
  LeftGroup left(command);
  Running running = command.start();
  const pid_t pid = running.pid();
  const Outcome outcome = running.wait();
  EXPECT_TRUE(LeftGroup::remove(pid)) << "what was left is not this jail's to remove";
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const std::string name = "jail-" + std::to_string(pid);
  EXPECT_NE(outcome.err.find("\"name\":\"" + name + "-3\""), std::string::npos) << outcome.err;
  EXPECT_NE(access(("/sys/fs/cgroup/pids/immure-" + name + "-3").c_str(), F_OK), 0) << "its own group is gone";
  EXPECT_NE(access((state_dir() + "/" + name + "-3.json").c_str(), F_OK), 0) << "and its state";
}

// Of a chosen name the caller is told, and nothing is changed.
TEST_F(States, AGroupOfAChosenNameThatWasLeftBehindIsToldOf) {
  SKIP_UNLESS(can_have_cgroup_v1());
  SKIP_UNLESS(can_use_controller("pids"));
  const std::string name = name_mark() + "left", group = "/sys/fs/cgroup/pids/immure-" + name;
  ASSERT_EQ(mkdir(group.c_str(), 0755), 0);
  const Outcome refused = immure({"run", "--name", name, "--need", "cgroup=require", "--", "true"});
  EXPECT_EQ(rmdir(group.c_str()), 0);
  EXPECT_EQ(refused.status, 125);
  EXPECT_NE(refused.err.find("choose another --name"), std::string::npos) << refused.err;
}

TEST_F(States, KillEndsTheWholeJail) {
  LivingJail jail({}, {"/bin/sh", "-c", "sleep 50 & sleep 50 & wait"});
  pid_t init = jail.init();
  Outcome killed = immure({"kill", jail.name()});
  EXPECT_EQ(killed.status, 0) << killed.err;
  EXPECT_TRUE(has_ended(init));
  EXPECT_EQ(killed.out, jail.name() + ": ended\n");
  Outcome ended = jail.wait();
  EXPECT_EQ(ended.status, 128 + SIGKILL);
  EXPECT_NE(ended.err.find("the jail was ended from outside"), std::string::npos) << ended.err;
  Outcome again = immure({"kill", jail.name()});
  EXPECT_EQ(again.status, 125);
  EXPECT_NE(again.err.find("IMM-E040"), std::string::npos) << again.err;
}

TEST_F(States, OtherSignalsReachTheProgram) {
  LivingJail jail({}, {std::string(kPayloadsInside) + "/probe", "wait-signal", "30"});
  ASSERT_TRUE(jail.running().wait_for("ready"));
  EXPECT_EQ(immure({"kill", jail.name(), "--signal", "STOP"}).status, 125) << "only what a supervisor hands on";
  EXPECT_EQ(immure({"kill", jail.name(), "--signal", "nonsense"}).status, 125);
  EXPECT_EQ(immure({"kill", "--signal=USR1", jail.name()}).status, 0);
  Outcome ended = jail.wait();
  EXPECT_NE(ended.out.find("wait-signal: ok USR1"), std::string::npos) << ended.out;
}

TEST_F(States, FreezeStopsAllAndThawLetsThemGoOn) {
  LivingJail jail({}, {"/bin/sh", "-c", "echo up; while :; do echo tick; sleep 0.02; done"});
  Running entered = jail.exec({"/bin/sh", "-c", "echo in; while :; do echo tock; sleep 0.02; done"}).start();
  ASSERT_TRUE(entered.wait_for("tock"));
  ASSERT_TRUE(jail.running().wait_for("tick"));
  Outcome frozen = immure({"freeze", jail.name()});
  ASSERT_EQ(frozen.status, 0) << frozen.err;
  EXPECT_NE(immure({"ps"}).out.find("frozen"), std::string::npos);
  auto quiet = [](Running& running) {
    running.wait_for("never", 0.3);
    size_t before = running.out().size();
    running.wait_for("never", 0.5);
    return running.out().size() == before;
  };
  EXPECT_TRUE(quiet(jail.running()));
  EXPECT_TRUE(quiet(entered));
  EXPECT_NE(state_of(jail.supervisor()), 'T') << "the supervisor itself goes on";
  EXPECT_NE(state_of(entered.pid()), 'T');
  EXPECT_EQ(jail.exec({"true"}).run().status, 125) << "nobody enters what is frozen";
  ASSERT_EQ(immure({"thaw", jail.name()}).status, 0);
  EXPECT_FALSE(quiet(jail.running()));
  EXPECT_FALSE(quiet(entered));
  EXPECT_EQ(immure({"ps"}).out.find("frozen"), std::string::npos);
  immure({"freeze", jail.name()});
  EXPECT_EQ(jail.end().status, 128 + SIGKILL) << "a frozen jail can be ended";
  EXPECT_EQ(entered.wait().status, 128 + SIGKILL);
}

// The supervisor is killed: the jail ends with it, and nothing stays.
TEST_F(States, NothingOutlivesTheSupervisor) {
  LivingJail jail;
  pid_t init = jail.init();
  kill(jail.supervisor(), SIGKILL);
  jail.wait();
  EXPECT_TRUE(eventually([&] { return has_ended(init) && !exists(file(jail)); }));
}

// A file of a jail that is dead (the whole machine was switched off, say) is cleared away, and said once.
TEST_F(States, WhatACrashLeftIsClearedAway) {
  LivingJail jail;
  std::string path = file(jail), text = read_file(path), name = jail.name();
  jail.end();
  ASSERT_FALSE(exists(path));
  ASSERT_TRUE(write_file(path, text, 0600));
  Outcome list = immure({"ps"});
  EXPECT_NE(list.out.find("'" + name + "' had died"), std::string::npos) << list.out;
  EXPECT_FALSE(exists(path));
  EXPECT_EQ(immure({"ps"}).out.find(name), std::string::npos);

  // The same after another boot, where the numbers belong to others.
  size_t boot = text.find("\"boot_id\":\"") + 11;
  std::string other = text;
  other.replace(boot, 8, "00000000");
  size_t pid = other.find("\"init\":{\"pid\":") + 14;
  other.replace(pid, other.find(',', pid) - pid, std::to_string(getpid()));
  ASSERT_TRUE(write_file(path, other, 0600));
  EXPECT_EQ(immure({"kill", name}).status, 125);
  EXPECT_NE(immure({"ps"}).out.find("had died"), std::string::npos);
  EXPECT_FALSE(exists(path));
}

TEST_F(States, UnknownNamesHaveANearest) {
  LivingJail jail;
  for (const char* verb : {"kill", "freeze", "thaw"}) {
    Outcome unknown = immure({verb, jail.name() + "z"});
    EXPECT_EQ(unknown.status, 125) << verb;
    EXPECT_NE(unknown.err.find("did you mean " + jail.name()), std::string::npos) << unknown.err;
    EXPECT_EQ(immure({verb}).status, 125) << verb;
  }
}

}  // namespace
}  // namespace immure::test
