#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "base/fd.h"
#include "base/file.h"

namespace immure {
namespace {

class Files : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/immure-base-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  size_t entries() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }
  std::string folder_;
};

TEST_F(Files, ComeBackAsWritten) {
  std::string text(100'000, 'x');
  text += std::string("\0y", 2);
  ASSERT_TRUE(write_file_atomic(folder_ + "/a", text, 0640, true));
  EXPECT_EQ(read_file(folder_ + "/a").value(), text);
  struct stat st = {};
  ASSERT_EQ(::stat((folder_ + "/a").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0640u);
  ASSERT_TRUE(write_file_atomic(folder_ + "/a", "", 0600));
  EXPECT_EQ(read_file(folder_ + "/a").value(), "");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, LeaveNothingBehindWhenTheyCannotBeReplaced) {
  std::filesystem::create_directories(folder_ + "/dir/full");
  Status written = write_file_atomic(folder_ + "/dir", "x", 0600);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().sys_errno, EISDIR);
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, NeverTakeThePlaceOfADevice) {
  const std::string pipe = folder_ + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_FALSE(write_file_atomic(pipe, "text", 0644));
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, HaveABound) {
  ASSERT_TRUE(write_file_atomic(folder_ + "/a", std::string(5000, 'x'), 0600));
  EXPECT_TRUE(read_file(folder_ + "/a", 5000));
  Result<std::string> text = read_file(folder_ + "/a", 4999);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().sys_errno, EFBIG);
  EXPECT_FALSE(read_file("/dev/zero", 1u << 16));
}

TEST_F(Files, SayWhatIsMissing) {
  Result<std::string> text = read_file(folder_ + "/none");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().sys_errno, ENOENT);
  EXPECT_NE(text.error().what.find("/none"), std::string::npos);
}

TEST(UniqueFd, ClosesOnceAndMoves) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd read_end(ends[0]);
  {
    UniqueFd a(ends[1]);
    UniqueFd b(std::move(a));
    EXPECT_FALSE(a);  // NOLINT: what is left after the move is the point
    EXPECT_EQ(b.get(), ends[1]);
  }
  char byte;
  EXPECT_EQ(::read(read_end.get(), &byte, 1), 0);  // the other end is closed
  int raw = read_end.release();
  EXPECT_EQ(::close(raw), 0);
}

}  // namespace
}  // namespace immure
