#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "input/options.h"

namespace immure {
namespace {

Result<Parsed> parse(std::vector<std::string> words, int first = 2) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  return parse_arguments(arguments, first);
}

TEST(Arguments, EndAtTheCommand) {
  Parsed p = parse({"--bind", "/a:/b", "--json", "ls", "--bind", "-l"}).value();
  ASSERT_EQ(p.words.size(), 2u);
  EXPECT_EQ(p.words[0].option->name, "bind");
  EXPECT_EQ(p.words[0].value, "/a:/b");
  EXPECT_EQ(p.words[0].origin, "argument 2 (--bind)");
  EXPECT_EQ(p.words[1].origin, "argument 4 (--json)");
  EXPECT_EQ(p.command, (std::vector<std::string>{"ls", "--bind", "-l"}));
}

TEST(Arguments, EndAtTwoDashes) {
  EXPECT_EQ(parse({"--", "--json"}).value().command, (std::vector<std::string>{"--json"}));
  EXPECT_EQ(parse({"--json", "--", "--", "x"}).value().command, (std::vector<std::string>{"--", "x"}));
  EXPECT_TRUE(parse({"--json", "--"}).value().command.empty());
  EXPECT_EQ(parse({"-", "x"}).value().command, (std::vector<std::string>{"-", "x"}));
  EXPECT_EQ(parse({"", "x"}).value().command.size(), 2u);
}

TEST(Arguments, TakeValuesBothWays) {
  EXPECT_EQ(parse({"--env=A=b"}).value().words[0].value, "A=b");
  EXPECT_EQ(parse({"--env="}).value().words[0].value, "");
  EXPECT_EQ(parse({"--env", "--x"}).value().words[0].value, "--x");
  EXPECT_EQ(parse({"--clock-offset", "-5"}).value().words[0].value, "-5");
}

TEST(Arguments, KnowTheSpecials) {
  Parsed p = parse({"--profile", "a", "--profile=b", "--dry-run", "-h", "-q", "--words-fd", "9"}).value();
  EXPECT_EQ(p.profiles, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(p.dry_run && p.help);
  EXPECT_EQ(p.words_fd, 9);
  ASSERT_EQ(p.words.size(), 1u);
  EXPECT_EQ(p.words[0].option->name, "quiet");
}

struct Bad {
  std::vector<std::string> words;
  const char* what;
  const char* how;
};

TEST(Arguments, RefuseWithThePlaceAndAWayOut) {
  const std::vector<Bad> cases = {
      {{"--json", "--bnd", "x"}, "unknown option '--bnd'", "--bind"},
      {{"--json", "--qqqqqqq"}, "unknown option", "--help"},
      {{"--json", "-x"}, "unknown option '-x'", "--"},
      {{"--json", "--bind"}, "--bind needs a value", "SRC"},
      {{"--json", "--bind", "--json"}, "--bind needs a value", "SRC"},
      {{"--json", "--bind", "--", "x"}, "--bind needs a value", "SRC"},
      {{"--json", "--quiet=1"}, "takes no value", "="},
      {{"--json", "--words-fd", "1"}, "descriptor", ""},
      {{"--json", "--words-fd=x"}, "descriptor", ""},
      {{"--json", "--profile="}, "name or a file", ""},
  };
  for (const Bad& bad : cases) {
    Result<Parsed> p = parse(bad.words);
    ASSERT_FALSE(p) << bad.words[1];
    EXPECT_EQ(p.error().code, Code::kUsage);
    EXPECT_NE(p.error().what.find(bad.what), std::string::npos) << p.error().what;
    EXPECT_NE(p.error().how.find(bad.how), std::string::npos) << p.error().how;
    EXPECT_TRUE(p.error().origin.starts_with("argument ")) << p.error().origin;
  }
  // A secret behind a misspelt flag stays out of the message.
  EXPECT_EQ(format(parse({"--envv=TOKEN=hunter2"}).error()).find("hunter2"), std::string::npos);
}

std::vector<Word> some_words() {
  std::vector<Word> words;
  auto text = rc::gen::container<std::string>(rc::gen::distinctFrom(rc::gen::arbitrary<char>(), '\0'));
  for (int i = *rc::gen::inRange(0, 6); i > 0; --i) {
    const Option* option = &options()[*rc::gen::inRange<size_t>(0, options().size())];
    if (option->apply != nullptr) words.push_back({option, *text, *text});
  }
  return words;
}

RC_GTEST_PROP(Words, ComeBackAsTheyWere, ()) {
  std::vector<Word> words = some_words();
  Result<std::vector<Word>> back = decode(encode(words));
  RC_ASSERT(back.has_value());
  RC_ASSERT(back->size() == words.size());
  for (size_t i = 0; i < words.size(); ++i) {
    RC_ASSERT((*back)[i].option == words[i].option);
    RC_ASSERT((*back)[i].value == words[i].value);
    RC_ASSERT((*back)[i].origin == words[i].origin);
  }
}

RC_GTEST_PROP(Words, CutAnywhereAreRefused, ()) {
  std::string text = encode(some_words());
  RC_PRE(!text.empty());
  size_t cut = *rc::gen::inRange<size_t>(1, text.size());
  Result<std::vector<Word>> back = decode(text.substr(0, cut));
  if (back) RC_ASSERT(encode(*back) == text.substr(0, cut));  // cut between two words
}

TEST(Words, CannotBeSmuggledIn) {
  using namespace std::string_literals;
  // Each would be two sound words when it were written as it is.
  std::vector<Word> words = {{find_option("env"), "A=1\0o\0net\0host"s, "o"}};
  EXPECT_FALSE(decode(encode(words)));
  words = {{find_option("env"), "A=1", "o\0net\0host\0o"s}};
  EXPECT_FALSE(decode(encode(words)));
  words = {{nullptr, "", ""}};
  EXPECT_FALSE(decode(encode(words)));
}

TEST(Words, RefuseGarbage) {
  using namespace std::string_literals;
  EXPECT_TRUE(decode("").value().empty());
  for (const std::string& bad :
       {"x"s, "\0"s, "\0\0\0"s, "env\0A=1\0"s, "env\0A=1\0o"s, "profile\0a\0o\0"s, "nope\0a\0o\0"s})
    EXPECT_FALSE(decode(bad));
}

}  // namespace
}  // namespace immure
