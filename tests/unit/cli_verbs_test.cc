// The table of verbs and how their arguments are read.
#include <gtest/gtest.h>

#include <set>

#include "cli/jails.h"
#include "cli/verbs.h"

namespace immure::cli {
namespace {

struct Arguments {
  explicit Arguments(std::vector<std::string> all) : words(std::move(all)) {
    for (std::string& word : words) pointers.push_back(word.data());
  }
  std::vector<std::string> words;
  std::vector<char*> pointers;
};

constexpr Flags::Known kKnown[] = {{"--json"}, {"--signal", true}};

TEST(Verbs, AreFoundByNameAndByTheOldWays) {
  std::set<std::string_view> names;
  for (const Verb& verb : verbs()) {
    EXPECT_TRUE(names.insert(verb.name).second) << verb.name;
    EXPECT_EQ(find_verb(verb.name), &verb);
    EXPECT_NE(verb.run, nullptr);
  }
  EXPECT_EQ(find_verb("--version"), find_verb("version"));
  EXPECT_EQ(find_verb("--help"), find_verb("help"));
  EXPECT_EQ(find_verb("rnu"), nullptr);
}

TEST(Verbs, OverviewFitsAScreen) {
  std::string page = overview();
  size_t lines = 0, start = 0;
  for (size_t end; (end = page.find('\n', start)) != std::string::npos; start = end + 1, lines++) {
    std::string_view line = std::string_view(page).substr(start, end - start);
    size_t columns = 0;
    for (char c : line) columns += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
    EXPECT_LE(columns, 80u) << line;
  }
  EXPECT_LE(lines, 24u);
  for (const Verb& verb : verbs()) EXPECT_NE(page.find("  " + std::string(verb.name) + " "), std::string::npos);
}

TEST(Flags, ReadsFlagsAndWordsInAnyOrder) {
  Arguments said({"a", "--json", "--signal", "TERM", "b", "--signal=KILL", "--", "--json"});
  Flags flags{kKnown, "kill"};
  ASSERT_TRUE(flags.parse(said.pointers));
  EXPECT_TRUE(flags.has("--json"));
  EXPECT_EQ(flags.value("--signal"), "KILL");
  EXPECT_EQ(flags.words, (std::vector<std::string_view>{"a", "b", "--json"}));
}

TEST(Flags, RefusesWhatItDoesNotKnow) {
  struct Case {
    std::vector<std::string> words;
    std::string part;
  };
  for (const Case& one : {Case{{"--jsno"}, "--json"}, Case{{"--signal"}, "value"}, Case{{"--json=x"}, "'='"}}) {
    Arguments said(one.words);
    Flags flags{kKnown, "kill"};
    Status status = flags.parse(said.pointers);
    ASSERT_FALSE(status) << one.words[0];
    EXPECT_EQ(status.error().code, Code::kUsage);
    EXPECT_NE(format(status.error()).find(one.part), std::string::npos) << format(status.error());
  }
}

TEST(Signals, HaveNamesAndNumbers) {
  EXPECT_EQ(signal_number("TERM"), 15);
  EXPECT_EQ(signal_number("sigterm"), 15);
  EXPECT_EQ(signal_number("9"), 9);
  EXPECT_EQ(signal_number("0"), 0);
  EXPECT_EQ(signal_number("65"), 0);
  EXPECT_EQ(signal_number("TREM"), 0);
}

}  // namespace
}  // namespace immure::cli
