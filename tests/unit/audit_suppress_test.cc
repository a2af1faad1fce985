// Accepted findings: what a file may say, what it covers, and when it has run out.
#include <gmock/gmock.h>

#include "audit/suppress.h"
#include "audit_made_up.h"

namespace immure::audit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A rule that there is: the file names rules of the tables.
std::string an_id() { return all_rules().front()->id; }

Result<std::vector<Suppression>> read(const std::string& text) { return read_suppressions(text, "a.toml"); }

TEST(Suppressions, AreRead) {
  auto all = read("[[suppress]]\nrule = \"" + an_id() +
                  "\"\nwhere = \"/usr/*\"\ntarget = \"/srv/*\"\nreason = \"users log in\"\nuntil = "
                  "\"2027-01-31\"\n[[suppress]]\nrule = \"" +
                  an_id() + "\"\nreason = \"r\"\n");
  ASSERT_TRUE(all) << all.error().what;
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ(all->front().rule, all_rules().front());
  EXPECT_EQ(all->front().where, "/usr/*");
  EXPECT_EQ(all->front().end, 1801440000) << "date -ud 2027-02-01 +%s";
  EXPECT_EQ(all->front().place, "a.toml:1:1");
  EXPECT_EQ(all->back().where, "*");
  EXPECT_EQ(all->back().end, 0);
  EXPECT_TRUE(read(""));
}

TEST(Suppressions, OthersAreErrorsWithAPlace) {
  const std::string rule = "[[suppress]]\nrule = \"" + an_id() + "\"\n";
  struct Case {
    std::string text;
    const char* part;
  };
  for (const Case& one : {
           Case{rule, "has no reason"},
           Case{rule + "reason = \" \"\n", "has no reason"},
           Case{"[[suppress]]\nreason = \"x\"\n", "names no rule"},
           Case{"[[suppress]]\nrule = \"no-such-rule\"\n", "there is no rule 'no-such-rule'"},
           Case{rule + "reason = \"x\"\nuntil = \"2027-02-30\"\n", "'2027-02-30' is no day"},
           Case{rule + "reason = \"x\"\nuntil = \"2027-2-3\"\n", "is no day"},
           Case{rule + "reason = \"x\"\nuntil = \"tomorrow\"\n", "is no day"},
           Case{rule + "reason = \"x\"\nuntil = 2027-01-31\n", "'until' is no text"},
           Case{rule + "reason = \"x\"\nwhen = \"x\"\n", "has no 'when'"},
           Case{"[suppress]\nrule = \"x\"\n", "has no 'suppress'"},
           Case{"accept = 1\n", "has no 'accept'"},
           Case{"suppress = [1]\n", "is a table"},
           Case{"[[suppress\n", ""},
       }) {
    auto all = read(one.text);
    ASSERT_FALSE(all) << one.text;
    EXPECT_EQ(all.error().code, Code::kBadProfile) << one.text;
    EXPECT_THAT(all.error().what, HasSubstr(one.part)) << one.text;
    EXPECT_THAT(all.error().origin, HasSubstr("a.toml")) << one.text;
  }
}

Suppression of_bits(const char* where, int64_t end = 0) {
  Suppression one;
  one.rule = &kBits;
  one.where = where;
  one.reason = "we know";
  one.end = end;
  one.until = end == 0 ? "" : "2027-01-31";
  one.place = "a.toml:3:1";
  return one;
}

std::vector<size_t> taken(const Audit& audit) {
  std::vector<size_t> out;
  for (const Acceptance& one : audit.accepted) out.push_back(one.finding);
  return out;
}

TEST(Suppress, ByRuleAndPlace) {
  std::vector<Audit> audits = {some_of_each()};
  EXPECT_THAT(suppress(audits, {of_bits("/usr/bin/words3"), of_bits("*1")}, 5), IsEmpty());
  EXPECT_THAT(taken(audits[0]), ElementsAre(1, 3));
  EXPECT_EQ(audits[0].accepted[0].reason, "we know");
}

TEST(Suppress, StarIsOfSeveralFoldersAndATargetNarrows) {
  std::vector<Audit> audits = {some_of_each("a"), some_of_each("b")};
  Suppression one = of_bits("/usr*");
  one.target = "*b";
  EXPECT_THAT(suppress(audits, {one}, 5), IsEmpty());
  EXPECT_THAT(taken(audits[0]), IsEmpty());
  EXPECT_THAT(taken(audits[1]), testing::SizeIs(5));
}

TEST(Suppress, NamesAreMatchedAsTheyAreShownToo) {
  std::vector<Audit> audits = {some_of_each("a\nb")};
  EXPECT_THAT(suppress(audits, {of_bits("/usr/bin/a\\x0ab2")}, 5), IsEmpty());
  EXPECT_THAT(taken(audits[0]), ElementsAre(2));
}

// A pattern with many stars against names that nearly fit: with a matcher that tries all ways this never
// ends.
TEST(Suppress, AJailsNamesCannotMakeItSlow) {
  std::vector<Audit> audits = {some_of_each(std::string(4000, 'a'))};
  EXPECT_THAT(suppress(audits, {of_bits("*a*a*a*a*a*a*a*a*a*a*b")}, 5), ElementsAre(HasSubstr("nothing")));
}

TEST(Suppress, WhatHasRunOutCountsAgainAndIsNamed) {
  std::vector<Audit> audits = {some_of_each()};
  EXPECT_THAT(suppress(audits, {of_bits("*", 100)}, 99), IsEmpty());
  EXPECT_THAT(taken(audits[0]), testing::SizeIs(5));
  audits = {some_of_each()};
  EXPECT_THAT(suppress(audits, {of_bits("*", 100)}, 100),
              ElementsAre(HasSubstr("made-bits at a.toml:3:1 has run out on 2027-01-31: 5 found")));
  EXPECT_THAT(taken(audits[0]), IsEmpty());
  EXPECT_THAT(suppress(audits, {of_bits("/none", 100)}, 100), ElementsAre(HasSubstr("nothing of it")));
}

TEST(Suppress, AnUnusedOneIsToldWhereItsRuleWasAsked) {
  std::vector<Audit> audits = {some_of_each()};
  EXPECT_THAT(suppress(audits, {of_bits("/none")}, 5), ElementsAre(HasSubstr("suppresses nothing")));
  audits[0].asked = {&kKeys};
  EXPECT_THAT(suppress(audits, {of_bits("/none")}, 5), IsEmpty());
}

TEST(Suppress, TheFirstOfTwoGivesItsReason) {
  std::vector<Audit> audits = {some_of_each()};
  Suppression second = of_bits("*");
  second.reason = "another";
  EXPECT_THAT(suppress(audits, {of_bits("*0"), second}, 5), IsEmpty());
  ASSERT_THAT(taken(audits[0]), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(audits[0].accepted[0].reason, "we know");
  EXPECT_EQ(audits[0].accepted[1].reason, "another");
}

}  // namespace
}  // namespace immure::audit
