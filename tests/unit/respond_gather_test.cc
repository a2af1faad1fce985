// What is kept of an environment: names, never values. (S125)
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/digest.h"
#include "base/fd.h"
#include "respond/gather.h"
#include "respond/reading.h"

namespace immure::respond {
namespace {

using std::string_literals::operator""s;

TEST(EnvironmentNames, AreWithoutValues) {
  EXPECT_EQ(environment_names("PATH=/bin\0TOKEN=abc=def\0"s), "PATH\nTOKEN\n");
  EXPECT_EQ(environment_names("a secret without a sign\0=nameless\0X=1"s), "\nX\n")
      << "what has no sign may be a value";
  EXPECT_EQ(environment_names(""), "");
}

TEST(EnvironmentNames, CannotSteerATerminal) {
  EXPECT_EQ(environment_names("A\x1b[2J\nB=1\0"s), "A\\x1b[2J\\x0aB\n");
}

TEST(Gathering, OfAProcessThatIsGoneIsTold) {
  int error = 0;
  const auto taker = [&](const Piece& piece) -> Status {
    error = piece.error;
    return {};
  };
  ASSERT_TRUE(gather_process(1 << 29, 5, taker));
  EXPECT_EQ(error, ENOENT);
}

TEST(Digests, OfAFileAreReadInParts) {
  const UniqueFd file(memfd_create("digested", MFD_CLOEXEC));
  const std::string text(300'001, 'x');
  ASSERT_EQ(write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  const auto digest = digest_of(file.get(), text.size());
  ASSERT_TRUE(digest);
  EXPECT_EQ(hex_text(*digest), hex_text(sha256(text)));
  const auto larger = digest_of(file.get(), text.size() - 1);
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error().sys_errno, EFBIG);
  const UniqueFd folder(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_FALSE(digest_of(folder.get(), 1)) << "no half is told as the whole";
}

// Of a program of any size, no more than a part is held.
TEST(Digests, OfAProgramDoNotTakeItsSize) {
  const UniqueFd file(memfd_create("large", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(file.get(), 96 << 20), 0);
  const pid_t child = fork();
  if (child == 0) {
    std::ifstream statm("/proc/self/statm");
    rlim_t pages = 0;
    statm >> pages;
    const rlim_t room = pages * 4096 + (32 << 20);
    const rlimit tight{room, room};
    setrlimit(RLIMIT_AS, &tight);
    _exit(digest_of(file.get(), 128 << 20) ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace immure::respond
