// What ordinary work did becomes what a watch expects: generalised where names change, and no further.
#include <fcntl.h>
#include <gmock/gmock.h>

#include "input/options.h"
#include "learn/ordinary.h"
#include "learn/widen.h"
#include "watch_made_up.h"

namespace immure::learn {
namespace {

using testing::IsEmpty;
using watch::Expected;
using watch::Level;
using watch::made;
using watch::MadeEvent;

watch::ExpectedPaths widened(const Names& seen) {
  watch::ExpectedPaths paths;
  widen(seen, paths);
  return paths;
}

TEST(Widen, ManyNamesOfAFolderAreTheFolder) {
  const watch::ExpectedPaths paths = widened({"/srv/a/1", "/srv/a/2", "/srv/a/3", "/srv/a/4", "/srv/b/1"});
  EXPECT_TRUE(paths.covers("/srv/a/other"));
  EXPECT_TRUE(paths.covers("/srv/a"));
  EXPECT_TRUE(paths.covers("/srv/b/1"));
  EXPECT_FALSE(paths.covers("/srv/b/2"));
  EXPECT_FALSE(paths.covers("/srv/c"));
}

TEST(Widen, ManyFoldersOfAFolderAreTheFolder) {
  Names seen;
  for (const char* folder : {"a1", "b2", "c3", "d4"})
    for (const char* name : {"w", "x", "y", "z"}) seen.insert(std::string("/srv/git/") + folder + "/" + name);
  EXPECT_TRUE(widened(seen).covers("/srv/git/e5/x"));
  seen.erase("/srv/git/a1/w");
  EXPECT_FALSE(widened(seen).covers("/srv/git/e5/x"));
}

TEST(Widen, NoFolderBecauseOfItsNeighboursWhereASecretIsOrTooMuch) {
  Names seen = {"/etc/a", "/etc/b", "/etc/c", "/etc/d", "/etc/e"};
  EXPECT_FALSE(widened(seen).covers("/etc/shadow"));
  seen = {"/root/.ssh/a", "/root/.ssh/b", "/root/.ssh/c", "/root/.ssh/d"};
  EXPECT_FALSE(widened(seen).covers("/root/.ssh/id_rsa"));
}

TEST(Widen, NumbersOfProcessesAreAnyNumber) {
  const watch::ExpectedPaths paths = widened({"/proc/17/stat", "/dev/pts/3", "/proc/sys/kernel/random/uuid"});
  EXPECT_TRUE(paths.covers("/proc/4/stat"));
  EXPECT_TRUE(paths.covers("/dev/pts/12"));
  EXPECT_FALSE(paths.covers("/proc/4/environ"));
  EXPECT_FALSE(paths.covers("/proc/sys/kernel/core_pattern"));
}

TEST(Widen, NamesThatChangeInWideFoldersArePatterns) {
  const watch::ExpectedPaths paths = widened({"/run/unit-4711.pid", "/var/log/app-2026-11-22.log"});
  EXPECT_TRUE(paths.covers("/var/log/app-2026-11-23.log"));
  EXPECT_FALSE(paths.covers("/var/log/auth.log"));
  EXPECT_TRUE(paths.covers("/run/unit-17.pid"));
}

TEST(Widen, WhereEveryNameIsANewOneAnyIsExpected) {
  Names seen = {"/dev/shm/sem.Dn6bTs", "/dev/shm/sem.xonkhk", "/dev/shm/sem.Hysqgz", "/dev/shm/sem.qbiiag"};
  EXPECT_TRUE(widened(seen).covers("/dev/shm/sem.other"));
  seen.erase(seen.begin());
  EXPECT_FALSE(widened(seen).covers("/dev/shm/other"));
}

TEST(Widen, ProgramsStayWhatTheyAre) {
  watch::ExpectedPaths paths;
  keep_names({"/usr/bin/a", "/usr/bin/b", "/usr/bin/c", "/usr/bin/d", "/srv/build-4711/run"}, paths);
  EXPECT_TRUE(paths.covers("/usr/bin/a"));
  EXPECT_FALSE(paths.covers("/usr/bin/nc"));
  EXPECT_TRUE(paths.covers("/srv/build-4712/run"));
}

TEST(Widen, ManyPortsOfAnAddressAndManyAddressesOfAPort) {
  Expected expected;
  expected.hosts =
      widened_hosts({"10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3", "10.0.0.1:4", "10.0.1.1:443", "10.0.1.2:443",
                     "10.0.1.3:443", "10.0.1.4:443", "10.0.2.1:80", "unix:/run/x", "unix:@y"});
  EXPECT_TRUE(expected.covers_host("10.0.0.1:5"));
  EXPECT_TRUE(expected.covers_host("10.0.9.9:443"));
  EXPECT_FALSE(expected.covers_host("10.0.2.1:81"));
  EXPECT_FALSE(expected.covers_host("10.0.2.2:80"));
  EXPECT_TRUE(expected.covers_host("unix:/run/x"));
  EXPECT_FALSE(expected.covers_host("unix:/run/z"));
  EXPECT_TRUE(expected.covers_host("unix:@y"));
}

TEST(Ordinary, WhatWasDoneIsExpectedAndWhatFailedIsNotRead) {
  Ordinary ordinary;
  ordinary.begin(Level::Files);
  ordinary.see(made("openat").path("/srv/in").event);
  ordinary.see(made("openat").path("/srv/none").failed(2).event);
  ordinary.see(made("openat").path("/srv/out").arg(2, O_WRONLY | O_CREAT).event);
  ordinary.see(made("execve").path("/usr/bin/cc").event);
  ordinary.see(made("connect").ipv4(0x0a000001, 443).event);
  auto baseline = ordinary.learned();
  ASSERT_TRUE(baseline);
  const Expected& expected = baseline->expected;
  EXPECT_EQ(expected.level, Level::Files);
  EXPECT_TRUE(expected.reads.covers("/srv/in"));
  EXPECT_FALSE(expected.reads.covers("/srv/none"));
  EXPECT_TRUE(expected.writes.covers("/srv/out"));
  EXPECT_FALSE(expected.writes.covers("/srv/in"));
  EXPECT_TRUE(expected.executables.covers("/usr/bin/cc"));
  EXPECT_TRUE(expected.covers_host("10.0.0.1:443"));
  EXPECT_EQ(expected.rates.at("/usr/bin/cc"), 5);
  EXPECT_EQ(baseline->traces, 1U);
  EXPECT_EQ(baseline->events, 5U);
  EXPECT_THAT(expected.sequences, IsEmpty());
}

TEST(Ordinary, NothingIsNoBaseline) {
  Ordinary ordinary;
  ordinary.begin(Level::All);
  EXPECT_FALSE(ordinary.learned());
}

void run_of(Ordinary& ordinary, int32_t pid, unsigned rounds) {
  ordinary.see(made("execve").by(pid).path("/usr/bin/cc").event);
  for (unsigned i = 0; i < rounds; ++i)
    for (const char* call : {"openat", "fstat", "read", "close", i % 3 == 0 ? "brk" : "mmap"})
      ordinary.see(made(call).by(pid).event);
  ordinary.see(made(watch::Action::End, watch::Kind::Process).by(pid).event);
}

TEST(Ordinary, SequencesAreLearnedWhereEveryCallWasSeen) {
  for (Level level : {Level::All, Level::Files}) {
    Ordinary ordinary;
    ordinary.begin(level);
    for (unsigned i = 0; i < 12; ++i) run_of(ordinary, static_cast<int32_t>(10 + i), 60 + i);
    auto baseline = ordinary.learned();
    ASSERT_TRUE(baseline);
    EXPECT_EQ(baseline->expected.sequences.contains("/usr/bin/cc"), level == Level::All);
  }
}

TEST(Ordinary, ProgramsWithFewSequencesAreNamed) {
  Ordinary ordinary;
  ordinary.begin(Level::All);
  for (int i = 0; i < 3; ++i) run_of(ordinary, 10 + i, 60);
  auto baseline = ordinary.learned();
  ASSERT_TRUE(baseline);
  EXPECT_THAT(baseline->expected.sequences, IsEmpty());
  EXPECT_THAT(ordinary.unmodelled(), testing::ElementsAre("/usr/bin/cc"));
}

TEST(Ordinary, ALongRunIsSeveralSequences) {
  Ordinary ordinary;
  ordinary.begin(Level::All);
  run_of(ordinary, 10, 20 * 2048 / 5);
  auto baseline = ordinary.learned();
  ASSERT_TRUE(baseline);
  EXPECT_TRUE(baseline->expected.sequences.contains("/usr/bin/cc"));
}

Expected of_words(const std::vector<std::pair<std::string, std::string>>& words) {
  Jail jail;
  for (const auto& [option, value] : words) {
    Status applied = apply(jail, Word{find_option(option), value, ""});
    EXPECT_TRUE(applied) << option;
  }
  return expected_of(jail.spec);
}

TEST(ExpectedOfProfile, IsWhatItsWordsGive) {
  const Expected expected = of_words({{"ro-bind", "/srv/data"}, {"bind", "/srv/out"}});
  EXPECT_TRUE(expected.reads.covers("/usr/lib/x") && expected.reads.covers("/srv/data/x"));
  EXPECT_FALSE(expected.reads.covers("/home/x"));
  EXPECT_TRUE(expected.writes.covers("/srv/out/x") && expected.writes.covers("/tmp/x"));
  EXPECT_FALSE(expected.writes.covers("/srv/data/x"));
  EXPECT_TRUE(expected.executables.covers("/usr/bin/x"));
  EXPECT_FALSE(expected.executables.covers("/tmp/x"));
  EXPECT_FALSE(expected.executables.covers("/srv/out/x"));
  EXPECT_TRUE(expected.covers_host("127.0.0.1:80"));
  EXPECT_FALSE(expected.covers_host("10.0.0.1:80"));
  const Expected net = of_words({{"net", "host"}, {"landlock", "connect=443"}});
  EXPECT_TRUE(net.covers_host("10.0.0.1:443"));
  EXPECT_FALSE(net.covers_host("10.0.0.1:80"));
  EXPECT_TRUE(of_words({{"net", "host"}}).covers_host("10.0.0.1:80"));
}

}  // namespace
}  // namespace immure::learn
