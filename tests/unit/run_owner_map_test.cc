// Who keeps a user namespace for its map shares nothing with who asked for it: everybody of the same user id has all
// capabilities over it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "child/ops.h"

namespace immure::child {
namespace {

TEST(OwnerMap, ItsKeeperSharesNoMemoryAndHoldsNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, whose maps need no word about groups";
  if (syscall(SYS_kcmp, getpid(), getpid(), KCMP_VM, 0, 0) != 0) GTEST_SKIP() << "needs kcmp(2): a kernel with CONFIG_KCMP";
  const pid_t maker = fork();
  if (maker == 0) {
    for (;;) {
      long fd = owner_map("0 0 1\n", "0 0 1\n");
      if (fd < 0) _exit(1);
      close(static_cast<int>(fd));
    }
  }
  const std::string children = "/proc/" + std::to_string(maker) + "/task/" + std::to_string(maker) + "/children";
  int compared = 0, without_descriptors = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while ((compared < 20 || without_descriptors == 0) && std::chrono::steady_clock::now() < end) {
    pid_t keeper = 0;
    if (!(std::ifstream(children) >> keeper)) continue;
    const long same = syscall(SYS_kcmp, maker, keeper, KCMP_VM, 0, 0);
    if (same < 0) continue;   // it has gone meanwhile
    EXPECT_NE(same, 0);
    compared++;
    std::error_code error;
    std::filesystem::directory_iterator open_ones("/proc/" + std::to_string(keeper) + "/fd", error), none;
    if (!error && open_ones == none) without_descriptors++;
  }
  EXPECT_EQ(waitpid(maker, nullptr, WNOHANG), 0) << "no map could be made";
  kill(maker, SIGKILL);
  waitpid(maker, nullptr, 0);
  EXPECT_GE(compared, 20);
  EXPECT_GT(without_descriptors, 0);
}

}  // namespace
}  // namespace immure::child
