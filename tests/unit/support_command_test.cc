// The tests' own tools: what they say about a program must be true before they say it about a jail.
#include "support/command.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "support/files.h"
#include "support/jail.h"
#include "support/leftovers.h"

namespace immure::test {
namespace {

Command shell(const char* script) { return Command({"/bin/sh", "-c", script}); }

TEST(Command, TellsStatusAndBothStreams) {
  Outcome outcome = shell("echo out; echo err >&2; exit 7").run();
  EXPECT_EQ(outcome.status, 7);
  EXPECT_EQ(outcome.signal, 0);
  EXPECT_EQ(outcome.out, "out\n");
  EXPECT_EQ(outcome.err, "err\n");
}

TEST(Command, TellsTheSignal) {
  Outcome outcome = shell("kill -SEGV $$").run();
  EXPECT_EQ(outcome.status, 139);
  EXPECT_EQ(outcome.signal, SIGSEGV);
}

TEST(Command, EndsWhatTakesTooLong) {
  Outcome outcome = shell("exec sleep 30").timeout(0.2).run();
  EXPECT_TRUE(outcome.timed_out);
  EXPECT_LT(outcome.seconds, 5);
}

TEST(Command, FeedsInputLargerThanAPipe) {
  Outcome outcome = shell("wc -c").input(std::string(300000, 'x')).run();
  EXPECT_EQ(std::stoi(outcome.out), 300000);
}

TEST(Command, DoesNotWaitForAGrandchildThatKeepsThePipe) {
  Outcome outcome = shell("sleep 2 & exit 3").run();
  EXPECT_EQ(outcome.status, 3);
  EXPECT_LT(outcome.seconds, 1.5);
}

TEST(Command, GivesNoOtherDescriptorsThanThosePassed) {
  TempDir dir;
  int fd = open(dir.file("x", "text").c_str(), O_RDONLY);
  Outcome outcome = shell("ls /proc/self/fd; cat <&9").pass(9, fd).run();
  close(fd);
  EXPECT_EQ(outcome.out, "0\n1\n2\n3\n9\ntext");  // 3 is ls's own
}

TEST(Command, ClosesStandardInput) {
  EXPECT_EQ(shell("[ -e /proc/self/fd/0 ] && echo open || echo closed").closed(0).run().out, "closed\n");
}

TEST(Command, GivesATerminal) {
  Running running = shell("stty size; read line; echo got $line; test -t 1 && exit 5").terminal(30, 100).start();
  ASSERT_TRUE(running.wait_for("30 100"));
  running.write("hello\n");
  EXPECT_TRUE(running.wait_for("got hello"));
  EXPECT_EQ(running.wait().status, 5);
}

TEST(Command, SetsAndUnsetsTheEnvironment) {
  Outcome outcome = shell("echo $ONE; echo ${HOME-none}").env("ONE", "1").unset("HOME").run();
  EXPECT_EQ(outcome.out, "1\nnone\n");
}

TEST(Leftovers, SeesAProcessThatStays) {
  Leftovers before;
  Running running = shell("sleep 30").start();
  EXPECT_NE(before.since(0), "");
  running.signal(SIGKILL);
  running.wait();
  EXPECT_EQ(before.since(), "");
}

TEST(Leftovers, SeesAFileThatStays) {
  TempDir folder;
  setenv("TMPDIR", folder.path().c_str(), 1);
  Leftovers before;
  std::string path = folder.file("left", "");
  EXPECT_EQ(before.since(0), "file " + path + "\n");
  unlink(path.c_str());
  EXPECT_EQ(before.since(0), "");
  unsetenv("TMPDIR");
}

TEST(Sights, AreReadLineByLine) {
  Outcome outcome;
  outcome.out = "open: ENOENT\nids: ok uid=1 gid=2: x\nnoise\n";
  Sights sights = sights_of(outcome);
  ASSERT_EQ(sights.all.size(), 2u);
  EXPECT_EQ(sights[0].verdict, "ENOENT");
  EXPECT_EQ(sights[1].text, "uid=1 gid=2: x");
  EXPECT_EQ(sights[7].verdict, "");
  EXPECT_EQ(value_of("a=1 bc=22 c=3", "c"), "3");
  EXPECT_EQ(value_of("a=1 bc=22", "c"), "");
}

}  // namespace
}  // namespace immure::test
