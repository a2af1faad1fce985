// What a jail's processes use, from a procfs that is made of plain files here.
#include "run/sampler.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/fd.h"

namespace immure::run {
namespace {

namespace fs = std::filesystem;

class Sampler : public testing::Test {
 protected:
  Sampler() : base_(fs::path(testing::TempDir()) / ("sampler-" + std::to_string(getpid()))) { fs::create_directories(base_); }
  ~Sampler() override { fs::remove_all(base_); }

  void process(const std::string& pid, const std::string& kib, const std::string& ticks, const std::string& threads) {
    file(pid + "/status", "Name:\ta\\nVmRSS:\t777 kB\nVmSize:\t 900 kB\nVmRSS:\t      " + kib + " kB\nThreads:\t" + threads + "\n");
    file(pid + "/stat", pid + " (a) R b) S 1 1 1 0 -1 4194304 1 2 3 4 " + ticks + " 20 0 " + threads + " 0 77 1 2\n");
  }
  void file(const std::string& name, const std::string& text) {
    fs::create_directories((base_ / name).parent_path());
    std::ofstream(base_ / name) << text;
  }
  TreeUse sum() const {
    UniqueFd dir(open(base_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return sum_tree(dir.get());
  }
  fs::path base_;
};

TEST_F(Sampler, AddsProcessesUp) {
  process("1", "10", "1 2 30 4", "1");
  process("27", "5", "1 0 0 0", "3");
  file("meminfo", "not a process");
  TreeUse use = sum();
  EXPECT_EQ(use.error, 0);
  EXPECT_EQ(use.memory, 15u * 1024);
  EXPECT_EQ(use.tasks, 4u);
  EXPECT_EQ(use.cpu_ns, 38u * 10'000'000) << "that of children who were waited for, too";
}

// What is needed to reach memory is memory; what was swapped comes back.
TEST_F(Sampler, CountsTablesAndWhatIsSwapped_S87) {
  process("7", "10", "0 0 0 0", "1");
  std::string groups = "Groups:\t";
  for (int i = 0; i < 2000; i++) groups += "65534 ";
  file("7/status", "Name:\ta\n" + groups + "\nVmRSS:\t      10 kB\nVmData:\t 500 kB\nVmPTE:\t    4000 kB\nVmSwap:\t     300 kB\nThreads:\t1\n");
  EXPECT_EQ(sum().memory, 4310u * 1024) << "behind a line that is longer than others";
  file("7/status", "VmPTE:\t20 kB");
  EXPECT_EQ(sum().memory, 0u) << "half a line says nothing";
}

// The first thread of a process takes the sight of its memory with it; the others still have it.
TEST_F(Sampler, LooksAtThreadsWhereTheFirstHasEnded_S87) {
  process("7", "0", "0 0 0 0", "3");
  file("7/task/7/status", "Name:\ta\nState:\tZ (zombie)\n");
  file("7/task/8/status", "VmRSS:\t50 kB\n");
  file("7/task/9/status", "VmRSS:\t50 kB\n");
  EXPECT_EQ(sum().memory, 50u * 1024) << "once";
}

TEST_F(Sampler, SaysThatSomebodyCouldNotBeRead_S87) {
  process("7", "5", "0 0 0 0", "1");
  fs::create_directories(base_ / "8");
  EXPECT_EQ(sum().error, 0) << "it has ended meanwhile";
  fs::create_directories(base_ / "8" / "status");
  EXPECT_EQ(sum().error, EISDIR);
  EXPECT_EQ(sum_tree(-1).error, EBADF);
}

// A child that the kernel reaps at once takes what it used out of the sums.
TEST(CpuTally, RemembersWhatHasGone_S86) {
  CpuTally tally;
  EXPECT_EQ(tally.add(100), 100u);
  EXPECT_TRUE(tally.falls(40));
  EXPECT_EQ(tally.add(40), 100u);
  EXPECT_EQ(tally.add(70), 130u);
  EXPECT_FALSE(tally.falls(70));
  EXPECT_EQ(tally.add(10), 130u);
}

}  // namespace
}  // namespace immure::run
