#include <gtest/gtest.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/namespaces.h"
#include "kernel/proc.h"

namespace immure {
namespace {

constexpr const char* kAll[] = {"cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts"};

TEST(NamespacesTest, OwnOnesAreThoseOfProc) {
  const Namespaces own = Namespaces::own();
  for (const char* name : kAll) {
    EXPECT_NE(own.inode(name), 0u) << name;
    EXPECT_EQ(own.inode(name), ns_inode(0, name)) << name;
  }
  EXPECT_EQ(own.inode("no-such-kind"), 0u);
  EXPECT_FALSE(own.open("no-such-kind"));
}

// A child that has left one namespace differs in that one and no other, by descriptor and without one.
TEST(NamespacesTest, AnotherProcessIsSeenAsItIs) {
  int told[2], go[2];
  ASSERT_EQ(pipe(told), 0);
  ASSERT_EQ(pipe(go), 0);
  const pid_t child = fork();
  if (child == 0) {
    const char done = unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
    char c;
    if (write(told[1], &done, 1) != 1 || read(go[0], &c, 1) != 1) _exit(1);
    _exit(0);
  }
  char done = 'n';
  ASSERT_EQ(read(told[0], &done, 1), 1);
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  const Namespaces own = Namespaces::own(), by_descriptor = Namespaces::of(pidfd.get(), child), by_path = Namespaces::of(-1, child);
  for (const char* name : kAll) {
    EXPECT_EQ(by_descriptor.inode(name), by_path.inode(name)) << name;
    EXPECT_EQ(by_path.inode(name), ns_inode(child, name)) << name;
    const bool left = done == 'y' && std::string_view(name) == "user";
    EXPECT_EQ(own.inode(name) != by_path.inode(name), left) << name;
  }
  EXPECT_EQ(write(go[1], "x", 1), 1);
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(by_path.inode("user"), 0u) << "it has gone";
  for (int fd : {told[0], told[1], go[0], go[1]}) close(fd);
}

}  // namespace
}  // namespace immure
