// Detectors of several events: each fault with its clean twin.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>

#include <cstring>

#include "watch/detect/expected.h"
#include "watch_made_up.h"

namespace immure::watch {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<Alert> all_of(Trial& trial, std::vector<MadeEvent> events) {
  std::vector<Alert> all;
  for (MadeEvent& event : events)
    for (Alert& alert : trial.see(event)) all.push_back(std::move(alert));
  return all;
}

// ---- the root

TEST(ChangeRoot, TellsOfTheFolderThatWasKept) {
  Trial trial("change-root");
  const auto alerts = all_of(trial, {made("open").path("/").arg(1, O_DIRECTORY).returned(5),
                                     made("chroot").path("/a"), made("fchdir").arg(0, 5)});
  ASSERT_THAT(alerts, SizeIs(2));
  EXPECT_EQ(alerts[0].technique, "chroot-fchdir");
  EXPECT_EQ(alerts[0].severity, Severity::Low);
  EXPECT_EQ(alerts[1].technique, "chroot-fchdir");
  EXPECT_EQ(alerts[1].severity, Severity::Critical);
  EXPECT_EQ(alerts[1].events, (std::vector<uint64_t>{2, 1, 3}));
  EXPECT_FALSE(alerts[1].stopped);
}

TEST(ChangeRoot, TellsOfTheClimb) {
  Trial trial("change-root");
  const auto alerts = all_of(trial, {made("chroot").path("/a"), made("chdir").path(".."),
                                     made("chdir").path(".."), made("chdir").path("..")});
  ASSERT_THAT(alerts, SizeIs(2));
  EXPECT_EQ(alerts[1].technique, "chroot-walk");
  EXPECT_EQ(alerts[1].severity, Severity::Critical);
}

TEST(ChangeRoot, ASecondOneIsKnownToBe) {
  Trial trial("change-root");
  all_of(trial, {made("chroot").path("/a"), made(Action::Born, Kind::Process).by(8).other(7)});
  const auto alerts = all_of(trial, {made("chroot").path("/b").by(8)});
  ASSERT_THAT(alerts, SizeIs(1));
  EXPECT_THAT(alerts[0].why, HasSubstr("once more"));
}

TEST(ChangeRoot, WhoGoesIntoItsNewRootIsLow) {
  Trial trial("change-root");
  const auto alerts =
      all_of(trial, {made("chroot").path("/a"), made("chdir").path("/"), made("chdir").path(".."),
                     made("chdir").path(".."), made("fchdir").arg(0, 9)});
  ASSERT_THAT(alerts, SizeIs(1));
  EXPECT_EQ(alerts[0].severity, Severity::Low);
}

TEST(ChangeRoot, OneThatFailedLeadsNowhere) {
  Trial trial("change-root");
  const auto alerts = all_of(trial, {made("open").path("/").arg(1, O_DIRECTORY).returned(5),
                                     made("chroot").path("/a").failed(EPERM), made("fchdir").arg(0, 5)});
  ASSERT_THAT(alerts, SizeIs(1));
  EXPECT_TRUE(alerts[0].stopped);
}

TEST(ChangeRoot, TellsOfTheFolderMovedAway) {
  Trial trial("change-root");
  const auto alerts = all_of(trial, {made("chroot").path("/a/b").by(8),
                                     made("rename").path("/x").second("/y"), made("rename").path("/a/b")});
  ASSERT_THAT(alerts, SizeIs(2));
  EXPECT_EQ(alerts[1].technique, "chroot-moved-folder");
}

// ---- up

TEST(WalkUp, CountsStepsAboveTheBeginning) {
  const std::pair<const char*, const char*> kCases[] = {
      {"/../../../etc/shadow", "dotdot-at-top"},  {"../../../../../../../../../etc", "walk-up"},
      {"/proc/self/root/../x", "proc-self-root"}, {"/proc/self/cwd/../../x", "proc-self-cwd"},
      {"/proc/9/fd/3/../../x", "proc-fd-walk"},   {"/proc/self/fd/5/../x", "leaked-folder-proc"},
  };
  for (const auto& [path, technique] : kCases) {
    Trial trial("walk-up");
    const auto alerts = trial.see(made("openat").path(path));
    ASSERT_THAT(alerts, SizeIs(1)) << path;
    EXPECT_EQ(alerts[0].technique, technique);
  }
  for (const char* path :
       {"/usr/lib/gcc/x/12/../../../../lib/crt1.o", "../../include", "/a/../b", "/..", ""}) {
    Trial trial("walk-up");
    EXPECT_THAT(trial.see(made("openat").path(path)), IsEmpty()) << path;
  }
}

TEST(WalkUp, CountsChangesOfFolder) {
  Trial trial("walk-up");
  for (int i = 0; i < 7; ++i) EXPECT_THAT(trial.see(made("chdir").path("..")), IsEmpty());
  EXPECT_THAT(trial.see(made("chdir").path("..")), SizeIs(1));
  Trial clean("walk-up");
  for (int i = 0; i < 40; ++i) EXPECT_THAT(clean.see(made("chdir").path(i % 5 == 0 ? "a" : "..")), IsEmpty());
}

// ---- descriptors

TEST(Descriptors, InheritedFoldersAreTold) {
  Trial trial("descriptors");
  trial.see(made(Action::Exec, Kind::Process).path("/bin/x"));
  const auto alerts = trial.see(made("fchdir").arg(0, 5));
  ASSERT_THAT(alerts, SizeIs(1));
  EXPECT_EQ(alerts[0].severity, Severity::Low);
  Trial clean("descriptors");
  clean.see(made(Action::Exec, Kind::Process).path("/bin/x"));
  clean.see(made("openat").path("/a").returned(5));
  EXPECT_THAT(clean.see(made("fchdir").arg(0, 5)), IsEmpty());
  // Nothing is known of one that ran before.
  Trial unknown("descriptors");
  EXPECT_THAT(unknown.see(made("fchdir").arg(0, 5)), IsEmpty());
}

// ---- series

TEST(DeniedSeries, DifferentCallsAreTold) {
  Trial trial("denied-series");
  const char* calls[] = {"mount", "unshare", "bpf", "add_key", "reboot", "acct"};
  std::vector<Alert> all;
  for (const char* call : calls)
    for (Alert& alert : trial.see(made(call).denied(EPERM))) all.push_back(alert);
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].severity, Severity::Notice);
  EXPECT_EQ(all[1].severity, Severity::High);
  EXPECT_THAT(all[1].events, SizeIs(6));
  EXPECT_TRUE(all[1].stopped);
  Trial clean("denied-series");
  for (int i = 0; i < 400; ++i)
    for (const Alert& alert : clean.see(made("mount").denied(EPERM).at(static_cast<uint64_t>(i) * 100)))
      EXPECT_EQ(alert.severity, Severity::Notice);
  for (int i = 0; i < 50; ++i)
    EXPECT_THAT(Trial("denied-series").see(made("openat").failed(EACCES)), IsEmpty());
}

TEST(Scans, ProcessesAskedInTurn) {
  Trial trial("scans");
  std::vector<Alert> all;
  for (uint64_t pid = 1; pid < 60; ++pid)
    for (Alert& alert : trial.see(made("kill").arg(0, pid).arg(1, 0).failed(ESRCH))) all.push_back(alert);
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].technique, "signal-everybody");
  Trial clean("scans");
  for (int i = 0; i < 200; ++i) EXPECT_THAT(clean.see(made("kill").arg(0, 12).arg(1, 0)), IsEmpty());
}

// ---- numbers

TEST(ForkStorm, ATreeThatOnlyGrows) {
  Trial trial("fork-storm");
  std::vector<Alert> all;
  for (int32_t i = 0; i < 300; ++i)
    for (Alert& alert : trial.see(made(Action::Born, Kind::Process).by(100 + i).other(i == 0 ? 7 : 99 + i)))
      all.push_back(alert);
  ASSERT_THAT(all, SizeIs(3));  // 64, 128, 256
  EXPECT_EQ(all[0].severity, Severity::Low);
  EXPECT_EQ(all[2].severity, Severity::High);
}

TEST(ForkStorm, ABuildIsNone) {
  Trial trial("fork-storm");
  for (int32_t i = 0; i < 4000; ++i) {
    const auto time = static_cast<uint64_t>(i) * 5;
    EXPECT_THAT(trial.see(made(Action::Born, Kind::Process).by(100 + i).other(7).at(time)), IsEmpty()) << i;
    if (i >= 16) trial.see(made(Action::End, Kind::Process).by(100 + i - 16).at(time));
  }
}

TEST(ManyObjects, CountsWithinTenSeconds) {
  Trial trial("many-objects");
  size_t alerts = 0;
  for (uint64_t i = 0; i < 200; ++i) alerts += trial.see(made("inotify_init1").at(i)).size();
  EXPECT_EQ(alerts, 1U);
  Trial clean("many-objects");
  for (uint64_t i = 0; i < 200; ++i) EXPECT_THAT(clean.see(made("inotify_init1").at(i * 1000)), IsEmpty());
}

// ---- rights, shells

TEST(PrivilegeGain, FromAUserToRoot) {
  Trial trial("privilege-gain");
  Process process;
  process.pid = 7, process.uid = 1000;
  trial.world.add(process);
  EXPECT_THAT(trial.see(made("setuid").arg(0, 0).failed(EPERM)), IsEmpty());
  EXPECT_THAT(trial.see(made("setuid").arg(0, 1000)), IsEmpty());
  EXPECT_THAT(trial.see(made("setuid").arg(0, 0)), SizeIs(1));
  Trial root("privilege-gain");
  process.uid = 0;
  root.world.add(process);
  EXPECT_THAT(root.see(made("setuid").arg(0, 0)), IsEmpty());
}

TEST(ServerShell, StartedByAServer) {
  Trial trial("server-shell");
  Process server, child;
  server.pid = 6, server.program = "/usr/sbin/nginx";
  child.pid = 7, child.parent = 6;
  trial.world.add(server);
  trial.world.add(child);
  EXPECT_THAT(trial.see(made(Action::Exec, Kind::Process).path("/bin/sh")), SizeIs(1));
  EXPECT_THAT(trial.see(made(Action::Exec, Kind::Process).path("/usr/sbin/nginx")), IsEmpty());
  Trial clean("server-shell");
  server.program = "/usr/bin/make";
  clean.world.add(server);
  clean.world.add(child);
  EXPECT_THAT(clean.see(made(Action::Exec, Kind::Process).path("/bin/sh")), IsEmpty());
}

// ---- files

TEST(MassChange, TheSameNewEndingForAll) {
  Trial trial("mass-change");
  size_t alerts = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string name = "/home/x/" + std::to_string(i) + ".doc", locked = name + ".locked";
    alerts += trial.see(made("rename").path(name).second(locked)).size();
  }
  EXPECT_EQ(alerts, 1U);
  Trial clean("mass-change");
  for (int i = 0; i < 400; ++i) {
    const std::string name = "/usr/share/x/" + std::to_string(i), aside = name + ".dpkg-new";
    EXPECT_THAT(clean.see(made("openat").path(aside).arg(2, O_CREAT | O_WRONLY)), IsEmpty());
    EXPECT_THAT(clean.see(made("rename").path(aside).second(name)), IsEmpty());
  }
}

TEST(MassChange, WrittenBesideAndRemoved) {
  Trial trial("mass-change");
  size_t alerts = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string name = "/home/x/" + std::to_string(i) + ".doc", locked = name + ".enc";
    alerts += trial.see(made("openat").path(locked).arg(2, O_CREAT | O_WRONLY)).size();
    alerts += trial.see(made("unlink").path(name)).size();
  }
  EXPECT_EQ(alerts, 1U);
  Trial clean("mass-change");
  for (int i = 0; i < 400; ++i) {
    const std::string name = "/tmp/cc" + std::to_string(i) + ".s";
    EXPECT_THAT(clean.see(made("openat").path(name).arg(2, O_CREAT | O_WRONLY)), IsEmpty());
    EXPECT_THAT(clean.see(made("unlink").path(name)), IsEmpty());
  }
}

TEST(ForgedTimes, OfAFileThatWasChanged) {
  uint8_t times[32] = {};
  const int64_t then = 1'000'000'000;
  std::memcpy(times, &then, sizeof then);
  std::memcpy(times + 16, &then, sizeof then);
  MadeEvent set = made("utimensat").path("/etc/x");
  set.event.bytes = times;
  Trial trial("forged-times");
  trial.see(made("openat").path("/etc/x").arg(2, O_WRONLY));
  EXPECT_THAT(trial.see(set), SizeIs(1));
  // What it made itself, it may date.
  Trial clean("forged-times");
  clean.see(made("openat").path("/etc/x").arg(2, O_WRONLY | O_CREAT));
  EXPECT_THAT(clean.see(set), IsEmpty());
}

// ---- mining, baselines

TEST(Mining, WordsAndPorts) {
  Trial trial("mining");
  EXPECT_THAT(trial.see(made(Action::Exec, Kind::Process).path("/tmp/x").words("x\0-o\0stratum+tcp://a:1\0")),
              testing::IsEmpty());  // the literal ends at its first zero byte
  using std::string_view_literals::operator""sv;
  EXPECT_THAT(
      trial.see(made(Action::Exec, Kind::Process).path("/tmp/x").words("x\0-o\0stratum+tcp://a:1\0"sv)),
      SizeIs(1));
  Trial ports("mining");
  size_t alerts = 0;
  for (int i = 0; i < 5; ++i) alerts += ports.see(made("connect").ipv4(0xc6336401, 3333)).size();
  EXPECT_EQ(alerts, 1U);
  Trial clean("mining");
  for (int i = 0; i < 50; ++i) EXPECT_THAT(clean.see(made("connect").ipv4(0xc6336401, 443)), IsEmpty());
}

TEST(Rate, ABurstAgainstItsOwnPast) {
  Trial trial("rate");
  uint64_t time = 0;
  for (int second = 0; second < 40; ++second, time += 1000)
    for (int i = 0; i < 10; ++i)
      EXPECT_THAT(trial.see(made("getpid").at(time + static_cast<uint64_t>(i))), IsEmpty());
  size_t alerts = 0;
  for (int i = 0; i < 5000; ++i) alerts += trial.see(made("getpid").at(time)).size();
  alerts += trial.see(made("getpid").at(time + 1000)).size();
  EXPECT_EQ(alerts, 1U);
  // Who is always busy is not in a burst.
  Trial busy("rate");
  time = 0;
  for (int second = 0; second < 40; ++second, time += 1000)
    for (int i = 0; i < 4000; ++i) EXPECT_THAT(busy.see(made("getpid").at(time)), IsEmpty());
}

TEST(New, IsWhatTheProfileDoesNotKnow) {
  Expected expected;
  expected.reads.names = {"/usr/", "/etc/passwd"};
  expected.writes.names = {"/var/log/"};
  expected.executables.names = {"/usr/bin/cc"};
  expected.hosts = {"10.0.0.1:443", "10.0.0.2:*"};
  Trial paths("new-path", &expected);
  EXPECT_THAT(paths.see(made("openat").path("/usr/lib/x.so")), IsEmpty());
  EXPECT_THAT(paths.see(made("openat").path("/var/log/a").arg(2, O_WRONLY)), IsEmpty());
  EXPECT_THAT(paths.see(made("openat").path("/usr/lib/../../home/x")), SizeIs(1));
  EXPECT_THAT(paths.see(made("openat").path("/usr/lib/x.so").arg(2, O_WRONLY)), SizeIs(1));
  Trial hosts("new-host", &expected);
  EXPECT_THAT(hosts.see(made("connect").ipv4(0x0a000001, 443)), IsEmpty());
  EXPECT_THAT(hosts.see(made("connect").ipv4(0x0a000002, 22)), IsEmpty());
  EXPECT_THAT(hosts.see(made("connect").ipv4(0x0a000001, 80)), SizeIs(1));
  Trial programs("new-program", &expected);
  EXPECT_THAT(programs.see(made(Action::Exec, Kind::Process).path("/usr/bin/cc")), IsEmpty());
  EXPECT_THAT(programs.see(made(Action::Exec, Kind::Process).path("/bin/sh")), SizeIs(1));
  // Nothing is new where nothing is expected.
  Trial none("new-program");
  EXPECT_THAT(none.see(made(Action::Exec, Kind::Process).path("/bin/sh")), IsEmpty());
}

}  // namespace
}  // namespace immure::watch
