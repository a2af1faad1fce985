// How `immure watch` reads its arguments, and its row among the verbs.
#include <gmock/gmock.h>

#include "base/text.h"
#include "cli/completion.h"
#include "cli/verbs.h"
#include "cli/watch_words.h"

namespace immure::cli {
namespace {

using testing::HasSubstr;

Result<WatchWish> read(std::vector<std::string> words) {
  static std::vector<std::string> kept;
  kept = std::move(words);
  std::vector<char*> pointers;
  for (std::string& word : kept) pointers.push_back(word.data());
  return read_watch_wish(pointers);
}

TEST(CliWatch, ReadsATargetAndWhatIsWanted) {
  auto wish = read({"web", "--level", "files", "--only=file,network", "--for", "2m", "--json", "--alerts"});
  ASSERT_TRUE(wish);
  EXPECT_EQ(wish->jail, "web");
  EXPECT_EQ(wish->level, watch::Level::Files);
  EXPECT_EQ(wish->kinds, watch::bit(watch::Kind::File) | watch::bit(watch::Kind::Network));
  EXPECT_EQ(wish->time, 120'000'000'000u);
  EXPECT_TRUE(wish->json && wish->alerts_only);
  wish = read(
      {"--pid", "4711", "--source", "ptrace", "--on", "high=freeze", "--on", "any=log", "--trace", "/t"});
  ASSERT_TRUE(wish);
  EXPECT_EQ(wish->pid, 4711);
  EXPECT_EQ(wish->source, "ptrace");
  EXPECT_EQ(wish->reactions.size(), 2u);
  EXPECT_EQ(wish->trace, "/t");
  EXPECT_EQ(wish->kinds, ~0U);
  EXPECT_TRUE(read({"--all"})->everything);
  EXPECT_TRUE(read({"--sources"})->sources);
  EXPECT_TRUE(read({"--list", "--json"})->list);
  EXPECT_EQ(read({"--explain", "x"})->explain, "x");
  EXPECT_TRUE(read({"--help", "--pid", "x"})->help);
}

TEST(CliWatch, RefusesWithTheNearestRightWord) {
  struct Case {
    std::vector<std::string> words;
    std::string part;
  };
  const Case cases[] = {
      {{}, "needs something to watch"},
      {{"a", "b"}, "takes one jail"},
      {{"a", "--pid", "1"}, "one target"},
      {{"--pid", "0"}, "is no process"},
      {{"--pid", "-5"}, "is no process"},
      {{"--pid", "99999999999"}, "is no process"},
      {{"a", "--level", "securty"}, "did you mean security?"},
      {{"a", "--level", "zzz"}, "process, security, opens, files, all"},
      {{"a", "--only", "file,netwrk"}, "did you mean network?"},
      {{"a", "--only", ""}, "is no kind"},
      {{"a", "--for", "soon"}, "is no time"},
      {{"a", "--for", "0"}, "is no time"},
      {{"a", "--source", "ptrac"}, "did you mean ptrace?"},
      {{"a", "--top", "--json"}, "leave out one"},
      {{"a", "--leve", "all"}, "did you mean --level?"},
      {{"a", "--on", "high=melt"}, "immure"},
  };
  for (const Case& one : cases) {
    auto wish = read(one.words);
    ASSERT_FALSE(wish) << one.part;
    EXPECT_THAT(format(wish.error()), HasSubstr(one.part));
  }
}

TEST(CliWatch, TheRowOfTheVerbHasAllFlags) {
  const Verb* verb = find_verb("watch");
  ASSERT_NE(verb, nullptr);
  EXPECT_EQ(verb->flags, watch_flags());
  const std::string flags = watch_flags();
  for (std::string_view flag : split(flags, ' '))
    EXPECT_THAT(watch_help() + " --help", HasSubstr(std::string(flag)));
}

TEST(CliWatch, ThePageFitsAScreenAndNamesAllKindsAndLevels) {
  const std::string page = watch_help();
  for (std::string_view line : split(page, '\n')) {
    size_t columns = 0;
    for (char c : line) columns += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
    EXPECT_LE(columns, 80u) << line;
  }
  for (int i = 0; i < watch::kKindCount; i++) EXPECT_THAT(page, HasSubstr(key(static_cast<watch::Kind>(i))));
  for (int i = 0; i < watch::kLevelCount; i++)
    EXPECT_THAT(page, HasSubstr(key(static_cast<watch::Level>(i))));
}

TEST(CliWatch, CompletionKnowsLevelsKindsAndSources) {
  for (const std::string& script : {bash_completion(), zsh_completion(), fish_completion()})
    for (std::string_view word : {"security", "namespace", "ptrace"})
      EXPECT_THAT(script, HasSubstr(std::string(word)));
}

}  // namespace
}  // namespace immure::cli
