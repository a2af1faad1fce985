// Namespaces made ahead: the child is ours, in them, where we may run; without a helper the answer is an
// error.
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "run/head_start.h"

namespace immure::run {
namespace {

constexpr uint64_t kAll = HeadStart::kNamespaces | uapi::kCloneNewPid;

std::string link_of(const std::string& path) {
  char target[128];
  ssize_t n = readlink(path.c_str(), target, sizeof target);
  return n < 0 ? std::string() : std::string(target, static_cast<size_t>(n));
}

int processors() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

int wait_for(long pid) {
  int status = -1;
  EXPECT_EQ(waitpid(static_cast<pid_t>(pid), &status, __WALL), pid);
  return status;
}

class Ahead : public testing::Test {
 protected:
  void SetUp() override {
    if (processors() < 2) GTEST_SKIP() << "one processor alone";
    ahead_.begin();
    ASSERT_TRUE(ahead_.serves(kAll));
    // As if the plan took its time: the helper has come to run.
    usleep(100'000);
  }
  HeadStart ahead_;
};

struct Seen {
  int go[2];
  cpu_set_t processors;
};

TEST_F(Ahead, TheChildIsOursAndInAllOfThem) {
  Seen seen{};
  ASSERT_EQ(pipe(seen.go), 0);
  auto begin = [](void* told) -> int {
    char byte;
    return read(static_cast<Seen*>(told)->go[0], &byte, 1) == 1 && getpid() == 1 ? 7 : 8;
  };
  long pid = ahead_.clone({}, begin, &seen);
  if (pid == -EPERM || pid == -ENOSPC) GTEST_SKIP() << "no user namespace here";
  ASSERT_GT(pid, 0);
  std::string other = "/proc/" + std::to_string(pid);
  for (const char* name : {"user", "mnt", "net", "ipc", "uts"}) {
    EXPECT_NE(link_of(other + "/ns/" + name), link_of(std::string("/proc/self/ns/") + name)) << name;
    EXPECT_FALSE(link_of(other + "/ns/" + name).empty()) << name;
  }
  ahead_.leave();
  EXPECT_FALSE(ahead_.serves(kAll));
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG | __WALL), 0) << "the helper is gone, the child is there";
  ASSERT_EQ(write(seen.go[1], "x", 1), 1);
  EXPECT_EQ(wait_for(pid), 7 << 8);
}

TEST_F(Ahead, TheChildMayRunWhereWeMay) {
  Seen seen{};
  ASSERT_EQ(sched_getaffinity(0, sizeof seen.processors, &seen.processors), 0);
  auto begin = [](void* told) -> int {
    cpu_set_t mine;
    if (sched_getaffinity(0, sizeof mine, &mine) != 0) return 1;
    return CPU_EQUAL(&mine, &static_cast<Seen*>(told)->processors) ? 0 : 2;
  };
  long pid = ahead_.clone({}, begin, &seen);
  if (pid == -EPERM || pid == -ENOSPC) GTEST_SKIP() << "no user namespace here";
  EXPECT_EQ(wait_for(pid), 0);
}

TEST_F(Ahead, OtherNamespacesAreNotServed) {
  EXPECT_FALSE(ahead_.serves(kAll & ~uapi::kCloneNewNet));
  EXPECT_FALSE(ahead_.serves(kAll & ~uapi::kCloneNewUser));
  EXPECT_FALSE(ahead_.serves(kAll | uapi::kCloneNewTime));
  ahead_.end();
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG | __WALL), -1) << "nobody is left";
  EXPECT_FALSE(ahead_.serves(kAll));
}

TEST_F(Ahead, AHelperThatWasKilledIsAnError) {
  // Our only child.
  std::string children = "/proc/self/task/" + std::to_string(getpid()) + "/children";
  char text[32] = {};
  int fd = open(children.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  ASSERT_GT(read(fd, text, sizeof text - 1), 0);
  close(fd);
  ASSERT_EQ(kill(atoi(text), SIGKILL), 0);
  EXPECT_EQ(ahead_.clone(
                {}, [](void*) { return 0; }, nullptr),
            -ECHILD);
  ahead_.leave();
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG | __WALL), -1);
}

TEST(NoHeadStart, OnOneProcessor) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
    if (CPU_ISSET(i, &before)) CPU_SET(i, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  HeadStart ahead;
  ahead.begin();
  EXPECT_FALSE(ahead.serves(kAll));
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

}  // namespace
}  // namespace immure::run
