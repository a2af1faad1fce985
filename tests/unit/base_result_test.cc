#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

#include "base/result.h"

namespace immure {
namespace {

TEST(Format, SaysWhatWhyHowWhereAndCode) {
  Error error{Code::kMissingSource,        ENOENT,     "cannot show '/data'",
              "the source does not exist", "use :try", "argument 3 (--bind)"};
  EXPECT_EQ(format(error),
            "immure: cannot show '/data'\n"
            "  why: the source does not exist (ENOENT: No such file or directory)\n"
            "  how: use :try\n"
            "  at: argument 3 (--bind)\n"
            "  code: IMM-E010\n");
}

TEST(Format, LeavesOutWhatIsEmpty) {
  EXPECT_EQ(format({Code::kUsage, 0, "no", {}, {}, {}}), "immure: no\n  code: IMM-E001\n");
  EXPECT_EQ(format({Code::kSystem, ENOMEM, "no", {}, {}, {}}),
            "immure: no\n  why: ENOMEM: Cannot allocate memory\n  code: IMM-E023\n");
}

// A path that the jailed program chose ends up in messages on the caller's terminal.
TEST(Format, LetsNoEscapeSequenceThrough) {
  std::string text = format({Code::kSystem, 0, "a\x1b]0;x\x07", "b\r\n  how: forged", "c\x9b", "d\x7f"});
  for (char c : text) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << int{c};
  EXPECT_EQ(text.find("\n  how: forged"), std::string::npos);
}

TEST(Errno, AgreesWithTheCLibrary) {
  for (int err = 1; err < 134; ++err) {
    const char* name = strerrorname_np(err);
    if (name == nullptr) {
      EXPECT_EQ(errno_name(err), "errno " + std::to_string(err));
      continue;
    }
    EXPECT_EQ(errno_name(err), name);
    EXPECT_EQ(errno_text(err), strerrordesc_np(err)) << name;
  }
  EXPECT_EQ(errno_name(4711), "errno 4711");
  EXPECT_EQ(errno_name(-5), "errno -5");
}

TEST(ExitStatus, IsOneOfThree) {
  EXPECT_EQ(exit_status(Code::kUsage), 125);
  EXPECT_EQ(exit_status(Code::kStep), 125);
  EXPECT_EQ(exit_status(Code::kNotExecutable), 126);
  EXPECT_EQ(exit_status(Code::kNotFound), 127);
}

Status twice(const Status& inner) {
  IMMURE_TRY(inner);
  return fail(Code::kState, "second");
}

TEST(Try, ReturnsTheFirstError) {
  EXPECT_EQ(twice(fail(Code::kUsage, "first")).error().what, "first");
  EXPECT_EQ(twice({}).error().what, "second");
}

}  // namespace
}  // namespace immure
