// What pipes hold, from a procfs that is made of plain files and leads to descriptors of this test.
#include "run/pipe_sum.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/fd.h"

namespace immure::run {
namespace {

namespace fs = std::filesystem;
constexpr uint64_t kMiB = 1 << 20, kPage = 4096, kKept = 2 * kPage, kMuch = uint64_t{1} << 40;

struct Pipe {
  explicit Pipe(int flags = 0) {
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC | flags) != 0) return;
    reader.reset(ends[0]);
    writer.reset(ends[1]);
    size = static_cast<uint64_t>(fcntl(ends[1], F_GETPIPE_SZ));
  }
  UniqueFd reader, writer;
  uint64_t size = 0;
};

class PipeSum : public testing::Test {
 protected:
  PipeSum() : base_(fs::path(testing::TempDir()) / ("pipes-" + std::to_string(getpid()))) { fs::create_directories(base_); }
  ~PipeSum() override { fs::remove_all(base_); }

  fs::path table(const std::string& pid, const std::string& thread) {
    fs::path folder = base_ / pid / "task" / thread;
    fs::create_directories(folder / "fd");
    std::ofstream(folder / "status") << "Name:\ta\nFDSize:\t64\n";
    return folder / "fd";
  }
  void descriptor(const std::string& thread, int name, int fd) {
    fs::create_symlink("/proc/self/fd/" + std::to_string(fd), table("7", thread) / std::to_string(name));
  }
  UniqueFd proc() const { return UniqueFd(open(base_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }
  PipeUse sum(uint64_t room = kMuch) const { return sum_pipes(proc().get(), room); }
  fs::path base_;
};

TEST_F(PipeSum, CountsEachPipeOnceAndNothingElse_S87) {
  Pipe full, empty;
  ASSERT_EQ(write(full.writer.get(), "x", 1), 1);
  UniqueFd none(open("/dev/null", O_RDONLY | O_CLOEXEC));
  descriptor("7", 0, none.get());
  descriptor("7", 3, full.reader.get());
  descriptor("7", 4, full.writer.get());
  descriptor("7", 5, empty.reader.get());
  PipeUse use = sum();
  EXPECT_EQ(use.error, 0);
  EXPECT_EQ(use.assumed, 0u);
  EXPECT_EQ(use.bytes, full.size + std::min(kKept, empty.size)) << "one byte may have any number of pages behind it";
  descriptor("9", 6, empty.writer.get());
  EXPECT_EQ(sum().bytes, use.bytes) << "another thread has the other end";
}

// A packet has a page of its own.
TEST_F(PipeSum, NeverCountsLessThanThePages_S87) {
  Pipe packets(O_DIRECT);
  uint64_t pages = 0;
  while (write(packets.writer.get(), "x", 1) == 1) pages++;
  ASSERT_GE(pages, 2u);
  descriptor("7", 3, packets.reader.get());
  EXPECT_GE(sum().bytes, pages * kPage);
}

TEST_F(PipeSum, CountsFifosThatHaveAName_S87) {
  const std::string name = base_ / "fifo";
  ASSERT_EQ(mkfifo(name.c_str(), 0600), 0);
  UniqueFd both(open(name.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(write(both.get(), "some", 4), 4);
  descriptor("7", 3, both.get());
  EXPECT_EQ(sum().bytes, static_cast<uint64_t>(fcntl(both.get(), F_GETPIPE_SZ)));
}

// What a thread has open alone is not in the table of its process.
TEST_F(PipeSum, LooksAtThreads_S87) {
  Pipe first, own;
  ASSERT_EQ(write(own.writer.get(), "x", 1), 1);
  descriptor("7", 3, first.reader.get());
  descriptor("8", 3, own.reader.get());
  EXPECT_EQ(sum().bytes, own.size + std::min(kKept, first.size)) << "as many as the first one has";
  descriptor("8", 4, own.writer.get());
  EXPECT_EQ(sum().bytes, own.size + std::min(kKept, first.size)) << "another number";
}

// Of a writer nobody becomes a reader, not for a moment: who waits in open(2) for one would go on. Here with the modes
// that a real procfs shows.
TEST_F(PipeSum, DisturbsNothing) {
  fs::create_directories(base_ / "7" / "task" / "7");
  fs::create_symlink("/proc/self/fd", base_ / "7" / "task" / "7" / "fd");
  std::ofstream(base_ / "7" / "task" / "7" / "status") << "FDSize:\t64\n";
  const PipeUse before = sum();
  const std::string name = base_ / "fifo";
  ASSERT_EQ(mkfifo(name.c_str(), 0600), 0);
  UniqueFd both(open(name.c_str(), O_RDWR | O_CLOEXEC)), writer(open(name.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(write(writer.get(), "abc", 3), 3);
  both.reset();
  EXPECT_EQ(sum().assumed, before.assumed + most_of_pipe()) << "a FIFO without a reader cannot be opened to write";
  Pipe pipe;
  ASSERT_EQ(write(pipe.writer.get(), "abc", 3), 3);
  EXPECT_EQ(sum().bytes, before.bytes + pipe.size);
  char text[8];
  EXPECT_EQ(read(pipe.reader.get(), text, sizeof text), 3) << "nothing was taken";
  ASSERT_EQ(write(pipe.writer.get(), "abc", 3), 3);
  pipe.reader.reset();
  EXPECT_EQ(sum().bytes, before.bytes + pipe.size) << "the end that is left keeps it";
  UniqueFd path(open(name.c_str(), O_PATH | O_CLOEXEC));
  writer.reset();
  EXPECT_EQ(sum().assumed, before.assumed) << "open for nothing";
}

TEST_F(PipeSum, BoundsItsWork_S87) {
  Pipe pipe;
  fs::path folder = table("7", "7");
  for (int i = 0; i < 40; i++) descriptor("7", 100 + i, pipe.reader.get());
  EXPECT_TRUE(could_pass_in_pipes(proc().get(), 39 * kMiB));
  EXPECT_FALSE(could_pass_in_pipes(proc().get(), kMuch));
  Pipe one, two;
  for (const Pipe* each : {&one, &two}) ASSERT_EQ(write(each->writer.get(), "x", 1), 1);
  descriptor("7", 1, one.reader.get());
  descriptor("7", 2, two.reader.get());
  EXPECT_GT(sum(1).bytes, 1u) << "it stops behind the first that is too much";
  EXPECT_LE(sum(1).bytes, one.size);
  constexpr int kTooMany = 33000;
  for (int i = 0; i < kTooMany; i++) fs::create_hard_link(base_ / "7" / "task" / "7" / "status", folder / std::to_string(1000 + i));
  EXPECT_GE(sum().bytes, one.size + two.size + most_of_pipe()) << "what was not looked at is taken for full";
}

TEST_F(PipeSum, TakesPipesForFullWhenTheyAreTooMany_S87) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  constexpr int kMany = 2048;
  const rlimit more{std::min<rlim_t>(files.rlim_max, 2 * kMany + 200), files.rlim_max};
  setrlimit(RLIMIT_NOFILE, &more);
  if (more.rlim_cur < 2 * kMany + 100) GTEST_SKIP() << "needs RLIMIT_NOFILE of " << 2 * kMany + 100;
  {
    std::vector<Pipe> pipes(kMany + 1);
    const fs::path folder = table("7", "7");
    for (int i = 0; i < kMany; i++)
      fs::create_symlink("/proc/self/fd/" + std::to_string(pipes[static_cast<size_t>(i)].reader.get()), folder / std::to_string(i));
    const uint64_t all = sum().bytes;
    EXPECT_LE(all, kMany * kKept);
    descriptor("7", kMany, pipes.back().reader.get());
    EXPECT_EQ(sum().bytes, all + most_of_pipe());
  }
  setrlimit(RLIMIT_NOFILE, &files);
}

TEST_F(PipeSum, SaysThatSomethingCouldNotBeRead_S87) {
  EXPECT_EQ(sum().error, 0);
  fs::create_directories(base_ / "7");
  EXPECT_EQ(sum().error, 0) << "it has ended meanwhile";
  EXPECT_EQ(sum_pipes(-1, kMuch).error, EBADF);
  EXPECT_TRUE(could_pass_in_pipes(-1, kMuch)) << "who cannot be counted is looked at";
}

}  // namespace
}  // namespace immure::run
