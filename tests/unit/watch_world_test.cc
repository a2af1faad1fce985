// What is known of processes, from events alone.
#include <gmock/gmock.h>
#include <linux/sched.h>
#include <unistd.h>

#include "watch/world.h"

namespace immure::watch {
namespace {

Event happened(Action action, int32_t pid, uint64_t time = 1) {
  Event event;
  event.kind = Kind::Process;
  event.action = action;
  event.verdict = Verdict::Done;
  event.pid = event.tid = pid;
  event.time = time;
  return event;
}

Event born(int32_t pid, int32_t parent, uint64_t flags = 0) {
  Event event = happened(Action::Born, pid);
  event.other = parent;
  event.flags = flags;
  return event;
}

Event exec(int32_t pid, std::string_view path, Verdict verdict = Verdict::Done) {
  Event event = happened(Action::Exec, pid);
  event.path = path;
  event.verdict = verdict;
  return event;
}

TEST(WatchWorld, ChildrenAreWhatTheirParentIsUntilTheyRunSomethingElse) {
  World world;
  world.see(exec(10, "/usr/sbin/sshd"));
  world.see(born(11, 10));
  EXPECT_EQ(world.find(11)->program, "/usr/sbin/sshd");
  world.see(exec(11, "/bin/bash"));
  world.see(born(12, 11));
  world.see(exec(12, "/bin/ls", Verdict::Failed));
  EXPECT_EQ(world.find(12)->program, "/bin/bash");
  EXPECT_EQ(world.find(12)->execs, 0u);
  world.see(exec(12, "/bin/id", Verdict::Unknown));
  EXPECT_EQ(world.find(12)->program, "/bin/id");
  EXPECT_EQ(world.lineage(12), "bash ← sshd");
  EXPECT_EQ(world.lineage(12, 1), "bash");
}

TEST(WatchWorld, AThreadIsNoProcess) {
  World world;
  world.see(exec(10, "/a"));
  Event thread = born(10, 10, CLONE_THREAD);
  thread.tid = 11;
  world.see(thread);
  EXPECT_EQ(world.size(), 1u);
  EXPECT_EQ(world.find(10)->program, "/a");
  Event end = happened(Action::End, 10);
  end.tid = 11;
  world.see(end);
  EXPECT_EQ(world.find(10)->ended, 0u);
}

// Of a source that sees no ends.
TEST(WatchWorld, ABirthThatIsToldTwiceChangesNothingAndThatOfAnotherDoes) {
  World world;
  world.see(exec(10, "/a"));
  Event birth = born(11, 10);
  birth.held = true;
  birth.args[2] = 500;
  world.see(birth);
  world.see(exec(11, "/b"));
  world.see(birth);
  EXPECT_EQ(world.find(11)->program, "/b");
  birth.args[2] = 501;
  world.see(birth);
  EXPECT_EQ(world.find(11)->program, "/a") << "the name of who had the number is not its own";
}

TEST(WatchWorld, ANumberThatIsUsedAgainIsAnotherProcess) {
  World world;
  world.see(exec(10, "/a"));
  world.see(happened(Action::End, 10, 5));
  EXPECT_EQ(world.find(10)->ended, 5u);
  EXPECT_EQ(world.of(happened(Action::Open, 10, 6)).program, "");
  world.see(exec(10, "/b"));
  world.see(born(10, 1));
  EXPECT_EQ(world.find(10)->program, "");
}

TEST(WatchWorld, IsBoundedAndForgetsTheEndedFirst) {
  World world;
  for (int32_t pid = 1; pid <= static_cast<int32_t>(World::kMost); pid++) world.see(born(pid, 0));
  world.see(happened(Action::End, 500, 9));
  world.see(born(1000000, 1));
  EXPECT_EQ(world.size(), World::kMost);
  EXPECT_EQ(world.find(500), nullptr);
  EXPECT_NE(world.find(1), nullptr);
  world.see(born(1000001, 1));
  EXPECT_EQ(world.find(1), nullptr);
  for (int32_t pid = 2000000; pid < 2400000; pid++) {
    world.see(born(pid, 1));
    world.see(happened(Action::End, pid, 9));
  }
  EXPECT_EQ(world.size(), World::kMost);
  EXPECT_NE(world.find(2399999), nullptr);
}

TEST(WatchWorld, AsksAboutWhoItHasNotSeenOnlyWhenItIsLive) {
  World world(process_now);
  EXPECT_NE(world.of(happened(Action::Open, getpid())).program.find("unit_watch"), std::string::npos);
  EXPECT_EQ(world.find(getpid())->parent, getppid());
  World replayed;
  EXPECT_EQ(replayed.of(happened(Action::Open, getpid())).program, "");
}

}  // namespace
}  // namespace immure::watch
