// An earlier report beside one of now.
#include <gmock/gmock.h>

#include "prove/baseline.h"
#include "prove_made_up.h"

namespace immure::prove {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Baseline of(const Verdicts& verdicts, const Subject& subject = kSubject) {
  auto baseline = read_baseline(report_json(verdicts, subject), "then.json");
  EXPECT_TRUE(baseline) << format(baseline.error());
  return baseline.value_or(Baseline{});
}

Verdicts only(const probes::Probe& probe, Verdict verdict) {
  Verdicts verdicts;
  verdicts.all.push_back({&probe, verdict, "by", 0, "why", {}, {}});
  return verdicts;
}

std::vector<std::string> ids(const std::vector<Change>& changes) {
  std::vector<std::string> out;
  for (const Change& one : changes) out.push_back(one.id);
  return out;
}

TEST(Baseline, ReadsWhatTheReportWrote) {
  Baseline baseline = of(one_of_each());
  ASSERT_EQ(baseline.attacks.size(), 5u);
  EXPECT_EQ(baseline.attacks[1].id, "two");
  EXPECT_EQ(baseline.attacks[1].verdict, Verdict::Escaped);
  EXPECT_EQ(baseline.subject.jail, kSubject.jail);
  EXPECT_EQ(baseline.subject.caller, kSubject.caller);
  EXPECT_EQ(baseline.subject.kernel, kSubject.kernel);
}

TEST(Baseline, RefusesWhatIsNone) {
  struct Case {
    std::string text, why;
  };
  const std::string head = R"({"schema":"immure.prove/1","attacks":)";
  for (const Case& one : {
           Case{"", "not one JSON document"},
           Case{"immure", "not one JSON document"},
           Case{report_jsonl(one_of_each(), kSubject), "not one JSON document"},
           Case{"[]", "no schema"},
           Case{"null", "no schema"},
           Case{"{}", "no schema"},
           Case{R"({"schema":7})", "no schema"},
           Case{R"({"schema":"immure.run/1"})", "'immure.run/1'"},
           Case{R"({"schema":"immure.prove/2","attacks":[]})", "'immure.prove/2'"},
           Case{R"({"schema":"immure.prove/1"})", "no list of attacks"},
           Case{head + "{}}", "no list of attacks"},
           Case{head + "[5]}", "attack 1 has no id"},
           Case{head + R"([{"id":"a"}]})", "attack 1 has no id"},
           Case{head + R"([{"id":"a","verdict":"blocked"},{"id":"b","verdict":"fine"}]})",
                "attack 2 has the verdict 'fine'"},
           Case{head + R"([{"id":"a","verdict":"blocked"},{"id":"a","verdict":"blocked"}]})",
                "'a' is in it twice"},
       }) {
    auto baseline = read_baseline(one.text, "then.json");
    ASSERT_FALSE(baseline) << one.text;
    EXPECT_EQ(baseline.error().code, Code::kBadValue);
    EXPECT_THAT(baseline.error().what, HasSubstr("'then.json' is no report"));
    EXPECT_THAT(baseline.error().why, HasSubstr(one.why)) << one.text;
    EXPECT_THAT(baseline.error().how, HasSubstr("immure prove --json"));
  }
  auto hostile = read_baseline(R"({"schema":"\u001b[2J"})", "x");
  ASSERT_FALSE(hostile);
  EXPECT_THAT(format(hostile.error()), Not(HasSubstr("\x1b")));
}

// blocked < not applicable = inconclusive < exposed < escaped, for every pair.
TEST(Compare, RanksEveryPair) {
  const std::pair<Verdict, int> ranks[] = {{Verdict::Blocked, 0},
                                           {Verdict::NotApplicable, 1},
                                           {Verdict::Inconclusive, 1},
                                           {Verdict::Exposed, 2},
                                           {Verdict::Escaped, 3}};
  for (const auto& [before, rank_before] : ranks)
    for (const auto& [now, rank_now] : ranks) {
      Comparison comparison = compare(of(only(kOne, before)), only(kOne, now), kSubject);
      EXPECT_EQ(comparison.worse.size(), rank_now > rank_before ? 1u : 0u) << key(before) << " " << key(now);
      EXPECT_EQ(comparison.better.size(), rank_now < rank_before ? 1u : 0u) << key(before) << " " << key(now);
      EXPECT_EQ(comparison.known, 1u);
    }
}

TEST(Compare, TheSameIsNeitherWorseNorBetter) {
  Comparison comparison = compare(of(one_of_each()), one_of_each(), kSubject);
  EXPECT_THAT(comparison.worse, IsEmpty());
  EXPECT_THAT(comparison.better, IsEmpty());
  EXPECT_THAT(comparison.missing, IsEmpty());
  EXPECT_THAT(comparison.notes, IsEmpty());
  EXPECT_THAT(
      comparison_text(comparison, "then.json"),
      HasSubstr("Nothing got worse, nothing got better; 5 attacks are in both, 0 only now, 0 only then."));
}

TEST(Compare, ANewAttackIsWorseOnlyWhenItGetsThrough) {
  Comparison comparison = compare(Baseline{kSubject, {}}, one_of_each(), kSubject);
  EXPECT_THAT(ids(comparison.worse), ElementsAre("two", "three"));
  EXPECT_THAT(comparison.better, IsEmpty());
  EXPECT_EQ(comparison.added, 5u);
  EXPECT_THAT(comparison_text(comparison, "then.json"), HasSubstr("new -> escaped: words"));
}

TEST(Compare, TellsWhatIsMissingNow) {
  Comparison comparison = compare(of(one_of_each()), only(kThree, Verdict::Blocked), kSubject);
  EXPECT_THAT(comparison.missing, ElementsAre("one", "two", "four", "five"));
  EXPECT_THAT(ids(comparison.better), ElementsAre("three"));
  const std::string text = comparison_text(comparison, "then.json");
  EXPECT_THAT(text, HasSubstr("not tried now: one, two, four, five\n"));
  EXPECT_THAT(text, HasSubstr("exposed -> blocked: by"));
  for (int i = 0; i < 20; ++i) comparison.missing.push_back("more");
  EXPECT_THAT(comparison_text(comparison, "then.json"), HasSubstr("and 16 more\n"));
}

TEST(Compare, NotesAnotherJailCallerOrKernel) {
  Comparison comparison =
      compare(of(one_of_each()), one_of_each(), {"immure run --bind .", "root (uid 0)", "6.18.1"});
  EXPECT_THAT(comparison.notes,
              ElementsAre(HasSubstr("another jail: the default jail, now immure run --bind ."),
                          HasSubstr("another caller: tester (uid 1001), now root (uid 0)"),
                          HasSubstr("another kernel: 6.1.0, now 6.18.1")));
  EXPECT_THAT(comparison.worse, IsEmpty()) << "a note is no verdict";
}

TEST(Compare, ShowsNoEscapeSequenceOfEither) {
  Baseline baseline{{kHostile, kHostile, kHostile},
                    {{kHostile, Verdict::Blocked}, {"two", Verdict::Blocked}}};
  const std::string text = comparison_text(compare(baseline, one_of_each(kHostile), kSubject), kHostile);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, HasSubstr("\\x1b"));
}

}  // namespace
}  // namespace immure::prove
