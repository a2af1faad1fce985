// Lines that come out of a jail: whoever is inside writes them.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "prove/observe.h"

namespace immure::prove {
namespace {

using probes::Outcome;

TEST(ReadLine, ReadsWhatAProbeSays) {
  Line line;
  ASSERT_TRUE(read_line("chroot-walk\tstopped\t1\tchroot\t", line));
  EXPECT_EQ(line.id, "chroot-walk");
  EXPECT_EQ(line.seen.ending, Ending::Said);
  EXPECT_EQ(line.seen.outcome, Outcome::Stopped);
  EXPECT_EQ(line.seen.error, 1);
  EXPECT_EQ(line.seen.where, "chroot");
  EXPECT_EQ(line.seen.text, "");
  ASSERT_TRUE(read_line("a\tescaped\t0\t\timmure-canary:00", line));
  EXPECT_EQ(line.seen.outcome, Outcome::Escaped);
  EXPECT_EQ(line.seen.text, "immure-canary:00");
  ASSERT_TRUE(read_line("a\texposed\t0\t\tx", line));
  EXPECT_EQ(line.seen.outcome, Outcome::Exposed);
  ASSERT_TRUE(read_line("a\tnot-applicable\t0\t\tx", line));
  EXPECT_EQ(line.seen.outcome, Outcome::NotApplicable);
  ASSERT_TRUE(read_line("a\tkilled\t31\t\t", line));
  EXPECT_EQ(line.seen.ending, Ending::Killed);
  EXPECT_EQ(line.seen.error, 31);
  ASSERT_TRUE(read_line("a\thangs\t0\t\t", line));
  EXPECT_EQ(line.seen.ending, Ending::Hangs);
  ASSERT_TRUE(read_line("a\tlost\t0\t\t", line));
  EXPECT_EQ(line.seen.ending, Ending::Lost);
}

TEST(ReadLine, ReadsThroughATerminal) {
  Line line;
  ASSERT_TRUE(read_line("a\tescaped\t0\t\timmure-canary:00\r", line));
  EXPECT_EQ(line.seen.text, "immure-canary:00");
}

TEST(ReadLine, TakesNothingElse) {
  for (const char* text :
       {"", "a", "\t\t\t\t", "a\tstopped\t1\tchroot", "a\tstopped\t1\tchroot\tx\ty",
        "a\tstopped\t-1\tchroot\t", "a\tstopped\t+1\t\t", "a\tstopped\t\t\t", "a\tstopped\t1x\t\t",
        "a\tstopped\t 1\t\t", "a\tstopped\t4096\t\t", "a\tstopped\t99999999999999999999\t\t",
        "a\tSTOPPED\t1\t\t", "a\tstopped \t1\t\t", "a\tblocked\t1\t\t", "a\tended-all\t1\t\t",
        "a\tproven\t0\t\t", "stopped\ta\t1\t\t"}) {
    Line line;
    EXPECT_FALSE(read_line(text, line)) << text;
  }
}

// No line says of itself that it is proven or that the filter denied it: that is seen outside.
TEST(ReadLine, ProofIsNotTheLinesToGive) {
  Line line;
  line.seen.proven = line.seen.denied = true;  // of the line before
  ASSERT_TRUE(read_line("a\tescaped\t0\tproven\tproven", line));
  EXPECT_FALSE(line.seen.proven);
  EXPECT_FALSE(line.seen.denied);
  EXPECT_EQ(line.seen.status, 0);
}

TEST(ReadLine, KeepsBytesAsTheyAre) {
  const std::string odd("\x00\x1b[2J\r\xff", 7);
  Line line;
  ASSERT_TRUE(read_line("a\tstopped\t1\t" + odd + "\t" + odd, line));
  EXPECT_EQ(line.seen.where, odd);
  EXPECT_EQ(line.seen.text, odd);
}

RC_GTEST_PROP(ReadLine, AnyBytesEndSomehow, (const std::vector<std::string>& parts)) {
  std::string text;
  for (const std::string& part : parts) text += part + (part.size() % 2 == 0 ? "\tstopped\t" : "\t");
  Line line;
  if (read_line(text, line)) {
    RC_ASSERT(line.seen.error >= 0 && line.seen.error <= 4095);
    RC_ASSERT(!line.seen.proven);
    RC_ASSERT(line.seen.where.find('\t') == std::string::npos &&
              line.seen.text.find('\t') == std::string::npos);
  }
}

}  // namespace
}  // namespace immure::prove
