// What stands on the host while a battery runs, and the processes that are started there: nobody else on the
// host may get anything out of it, and whoever runs inside may not hold it up.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/text.h"
#include "probes/probe.h"
#include "prove/battery.h"
#include "prove/interrupt.h"
#include "prove/launcher.h"
#include "prove/minder.h"
#include "prove/trial.h"

namespace immure::prove {
namespace {

// What it is told comes behind the script.
Site here(const std::string& script) {
  Site site;
  site.launcher = {"/bin/sh", "-c", script, "sh"};
  return site;
}

void wait_for(Launch& launch) {
  while (!launch.hear())
    if (now_ms() > launch.deadline()) return launch.stop();
}

std::string said_by(const Yard& yard, const Site& site, const std::vector<std::string>& arguments = {}) {
  Launch launch(yard, site, arguments, 10'000);
  wait_for(launch);
  EXPECT_EQ(launch.status, 0) << launch.errors;
  return launch.output;
}

struct YardTest : testing::Test {
  void SetUp() override { ASSERT_TRUE(yard.make("/bin/true")); }
  Yard yard;
};

TEST(YardsPlace, IsOneThatNobodyElseMoves) {
  char folder[] = "/tmp/immure-yard-test-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string below = std::string(folder) + "/below";
  ASSERT_EQ(mkdir(below.c_str(), 0700), 0);
  const char* before = getenv("TMPDIR");
  const std::string kept = before == nullptr ? "/tmp" : before;
  setenv("TMPDIR", below.c_str(), 1);
  EXPECT_TRUE(Yard().make("/bin/true"));
  EXPECT_EQ(chmod(folder, 0777), 0);
  EXPECT_FALSE(Yard().make("/bin/true"));
  EXPECT_EQ(chmod(folder, 01777), 0);
  EXPECT_TRUE(Yard().make("/bin/true"));
  if (geteuid() == 0) {
    EXPECT_EQ(chown(folder, 1000, 1000), 0);
    EXPECT_FALSE(Yard().make("/bin/true"));
  }
  setenv("TMPDIR", kept.c_str(), 1);
  std::filesystem::remove_all(folder);
}

// A launcher that is a dynamic program loads from there, as root.
TEST_F(YardTest, NobodyElsePutsLibrariesBeforeALauncher) {
  for (const char* name : {"LD_LIBRARY_PATH", "SSH_AUTH_SOCK"}) {
    const std::string said = said_by(yard, here(std::string("printf %s \"$") + name + '"'));
    ASSERT_FALSE(said.empty());
    std::filesystem::path folder = said;
    while (!std::filesystem::exists(folder)) folder = folder.parent_path();
    struct stat st {};
    ASSERT_EQ(stat(folder.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0022, 0U) << folder;
    EXPECT_EQ(st.st_uid, geteuid());
  }
}

TEST_F(YardTest, WhoNeverStopsTalkingHoldsNobody) {
  Launch launch(yard, here("yes a & yes b & yes c & exec yes d"), {}, 300);
  alarm(20);
  wait_for(launch);
  alarm(0);
  EXPECT_TRUE(launch.timed_out);
  EXPECT_LT(launch.output.size(), 2U << 20);
}

TEST_F(YardTest, MessagesTakeOnlySoMuchMemory) {
  const char kScript[] =
      "echo first >&2; head -c 20000000 /dev/zero >&2; stat -L -c %s /proc/$$/fd/2; exit 3";
  Launch launch(yard, here(kScript), {}, 20'000);
  wait_for(launch);
  EXPECT_EQ(launch.status, 3);
  EXPECT_TRUE(launch.errors.starts_with("first\n"));
  EXPECT_EQ(launch.output, num(4U << 20) + "\n");
}

// The program outside is not what hostile processes inside find, nor do they find what we had open.
TEST_F(YardTest, AmongHostileProcessesItRunsAsACopyWithNothingOpen) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: it enters the root of another process";
  pid_t there = fork();
  if (there == 0) {
    for (;;) pause();
  }
  auto like = LikeProcess::of(there);
  ASSERT_TRUE(like) << format(like.error());
  Site site;
  site.place = Place::Process;
  site.program = "/bin/sh";
  site.like = *like;
  const int left_open = fcntl(open("/", O_RDONLY | O_CLOEXEC), F_DUPFD, 40);
  const std::string said = said_by(yard, site, {"-c", "readlink /proc/$$/exe; ls /proc/$$/fd"});
  close(left_open);
  kill(there, SIGKILL);
  waitpid(there, nullptr, 0);
  EXPECT_TRUE(said.starts_with("/memfd:")) << said;
  EXPECT_EQ(said.find("\n" + num_signed(left_open) + "\n"), std::string::npos) << said;
}

TEST_F(YardTest, AProcessThatEndedIsNotCopied) {
  pid_t there = fork();
  if (there == 0) _exit(0);
  waitpid(there, nullptr, 0);
  EXPECT_FALSE(LikeProcess::of(there));
}

// Who became immure by exec may have had children.
TEST_F(YardTest, ChildrenThatWereThereBeforeAreLeftAlone) {
  pid_t before = fork();
  if (before == 0) {
    for (;;) pause();
  }
  const size_t children = children_of(getpid()).size();
  const Site site = here("sleep 300 & echo ready");
  Seen seen;
  const probes::Probe* probe = probes::groups(probes::Category::Root).front().data();
  EXPECT_TRUE(run_jobs(yard, {{site, {probe}, &seen}}, 1));
  EXPECT_EQ(seen[probe].ending, Ending::Lost);
  EXPECT_EQ(waitpid(before, nullptr, WNOHANG), 0) << "it was killed";
  EXPECT_EQ(waitpid(yard.witness().pid(), nullptr, WNOHANG), 0);
  EXPECT_EQ(children_of(getpid()).size(), children) << "what the job left is gone";
  kill(before, SIGKILL);
  waitpid(before, nullptr, 0);
}

// What a container's engine leaves to watch over it is nobody's child, too.
TEST_F(YardTest, WhatOneJobLeftIsNotEndedWithAnother) {
  const std::string file = yard.folder() + "/scratch/late";
  const Site slow = here("(setsid sh -c 'sleep 0.7; echo >" + file + "' &); for i in $(seq 40); do [ -e " + file +
                         " ] && echo ready && exit; sleep 0.05; done"),
             fast = here("sleep 0.2; echo ready");
  Seen seen, other;
  const probes::Probe* probe = probes::groups(probes::Category::Root).front().data();
  EXPECT_TRUE(run_jobs(yard, {{slow, {probe}, &seen}, {fast, {probe}, &other}}, 2));
  EXPECT_EQ(seen[probe].ending, Ending::Lost) << seen[probe].text;
}

TEST_F(YardTest, WhoWatchesOverSomethingPutsItAwayWhenTheLauncherIsStopped) {
  const std::string file = yard.folder() + "/scratch/put-away";
  Launch launch(yard, here("(setsid sh -c 'sleep 300; echo >" + file + "' &); sleep 0.3; echo ready; sleep 300"), {}, 10'000);
  while (launch.output.empty()) EXPECT_FALSE(launch.hear());
  launch.stop();
  EXPECT_EQ(access(file.c_str(), F_OK), 0);
}

TEST_F(YardTest, NobodyOutlivesABatteryThatIsKilled) {
  const std::string file = yard.folder() + "/scratch/pids";
  const std::string script = "(setsid sh -c 'echo $$ >>" + file + "; exec sleep 300' &); echo $$ >>" + file + "; sleep 300";
  pid_t battery = fork();
  if (battery == 0) {
    Launch launch(yard, here(script), {}, 60'000);
    for (;;) (void)launch.hear(), usleep(1000);
  }
  std::vector<pid_t> pids;
  for (int i = 0; i < 5000 && pids.size() < 2; ++i, usleep(1000)) {
    pids.clear();
    const std::string text = read_file(file).value_or(std::string());
    for (std::string_view line : split(text, '\n'))
      if (auto pid = parse_u64(line)) pids.push_back(static_cast<pid_t>(*pid));
  }
  ASSERT_EQ(pids.size(), 2U);
  kill(battery, SIGKILL);
  waitpid(battery, nullptr, 0);
  for (pid_t pid : pids) {
    int tries = 0;
    while (tries < 5000 && kill(pid, 0) == 0) waitpid(-1, nullptr, WNOHANG), usleep(1000), ++tries;
    EXPECT_LT(tries, 5000) << pid;
  }
}

TEST(RunTrial, OfASandboxThatSaysNothingIsNone) {
  Trial trial;
  trial.probe = "/bin/true";
  for (const probes::Probe& probe : probes::groups(probes::Category::Root).front())
    trial.probes.push_back(&probe);
  for (const char* script : {"exit 3", "echo ready; exit 3", "echo ready"}) {
    trial.against = {"/bin/sh", "-c", script, "{}"};
    EXPECT_FALSE(run_trial(trial)) << script;
  }
  trial.against = {"/bin/sh", "-c", "printf 'ready\\nchroot-walk\\tstopped\\t1\\tx\\ty\\n'", "{}"};
  EXPECT_TRUE(run_trial(trial));
}

TEST_F(YardTest, TheWitnessIsMissedWhenItIsGone) {
  EXPECT_TRUE(yard.witness().is_alive());
  kill(yard.witness().pid(), SIGKILL);
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(yard.witness().pid()), &info, WEXITED | WNOWAIT);
  EXPECT_FALSE(yard.witness().is_alive());
}

// With SIGCHLD ignored the kernel keeps nobody's status.
TEST(Interrupt, HearsOfEndsWhateverTheCallerLeft) {
  signal(SIGCHLD, SIG_IGN);
  {
    Interrupt interrupt;
    pid_t child = fork();
    if (child == 0) _exit(7);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 7);
  }
  EXPECT_EQ(signal(SIGCHLD, SIG_DFL), SIG_IGN);
}

}  // namespace
}  // namespace immure::prove
