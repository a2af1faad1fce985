// What is kept of an environment: names, never values. (S125)
#include <gtest/gtest.h>

#include "respond/gather.h"

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

}  // namespace
}  // namespace immure::respond
