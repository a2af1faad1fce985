// The score: points are earned by evidence, and by nothing else.
#include <gmock/gmock.h>

#include "audit/score.h"
#include "audit_made_up.h"

namespace immure::audit {
namespace {

using testing::HasSubstr;

const PointScore& at(const Score& score, Point point) { return score.points[static_cast<size_t>(point)]; }

// A rule for each point, all of them asked and silent.
struct Everything {
  std::vector<std::string> ids;
  std::vector<Rule> rows;
  std::vector<const Rule*> rules;
  Audit audit;

  Everything() {
    for (int i = 0; i < kPointCount; ++i) ids.push_back("rule-" + std::to_string(i));
    for (int i = 0; i < kPointCount; ++i)
      rows.push_back(made_up(ids[static_cast<size_t>(i)].c_str(), Severity::High, static_cast<Point>(i)));
    for (const Rule& row : rows) rules.push_back(&row);
    audit.asked = rules;
    for (const Rule* rule : rules) {
      audit.answers.asking(*rule);
      audit.answers.checked();
    }
  }
  Score now() const { return score(audit, rules); }
  void finds(Point point, Severity severity) {
    audit.answers.asking(rows[static_cast<size_t>(point)]);
    audit.answers.found(severity, "x", "y");
  }
};

Battery good_battery() {
  Battery battery;
  battery.attacks = battery.blocked = 400;
  battery.shows_something = true;
  return battery;
}

TEST(Score, NothingLookedAtIsNothingEarned) {
  const Everything every;
  Audit blind;
  const Score score = audit::score(blind, every.rules);
  EXPECT_EQ(score.value, 0);
  for (const PointScore& one : score.points) {
    EXPECT_EQ(one.earned, 0);
    EXPECT_THAT(one.why, HasSubstr("not looked at"));
  }
}

TEST(Score, AllSilentIsAllButWhatABatteryShows) {
  Everything every;
  // 60, half of 20, 15.
  EXPECT_EQ(every.now().value, 85);
  EXPECT_EQ(every.now().of(Rung::Holds), 60);
  EXPECT_EQ(every.now().of(Rung::Watched), 10);
  EXPECT_EQ(every.now().of(Rung::Deep), 15);
  EXPECT_THAT(at(every.now(), Point::Records).why, HasSubstr("--prove"));
  EXPECT_EQ(at(every.now(), Point::Records).earned, 4);
  every.audit.battery = good_battery();
  EXPECT_EQ(every.now().value, 99) << "never 100";
  EXPECT_EQ(at(every.now(), Point::Records).earned, 8);
  for (const PointScore& one : every.now().points) EXPECT_EQ(one.why, "") << key(one.point);
}

TEST(Score, ABatteryThatShowsLittleEarnsLittle) {
  Everything every;
  every.audit.battery = good_battery();
  every.audit.battery->exposed = 1;
  EXPECT_EQ(every.now().value, 97);
  every.audit.battery->shows_something = false;
  EXPECT_EQ(every.now().value, 85);
}

TEST(Score, AFindingTakesItsPointByItsSeverity) {
  for (const auto& [severity, left] :
       {std::pair{Severity::Advice, 14}, {Severity::Low, 7}, {Severity::Medium, 0}, {Severity::High, 0}}) {
    Everything every;
    every.finds(Point::Privileges, severity);
    const Score score = every.now();
    EXPECT_EQ(at(score, Point::Privileges).earned, left) << key(severity);
    EXPECT_EQ(at(score, Point::Secrets).earned, 6);
    EXPECT_EQ(score.value, 85 - 14 + left);
    const std::string named = severity == Severity::Advice ? "" : std::string(key(severity)) + ": rule-1";
    EXPECT_EQ(at(score, Point::Privileges).why, named);
  }
}

TEST(Score, ACriticalFindingCapsIt) {
  Everything every;
  every.audit.battery = good_battery();
  every.finds(Point::Minimality, Severity::Critical);
  EXPECT_EQ(every.now().sum, 97);
  EXPECT_EQ(every.now().value, 59);
  EXPECT_THAT(every.now().cap, HasSubstr("critical"));
  // Below the cap there is nothing to cap.
  every.finds(Point::RootChange, Severity::High);
  every.finds(Point::Privileges, Severity::High);
  every.finds(Point::TreePowers, Severity::High);
  every.finds(Point::TreeWriting, Severity::High);
  EXPECT_EQ(every.now().value, 97 - 12 - 14 - 10 - 10);
  EXPECT_EQ(every.now().cap, "");
}

TEST(Score, AnEscapeIsZero) {
  Everything every;
  every.audit.battery = good_battery();
  every.audit.battery->escaped.push_back({"chroot-walk", "root", "a second chroot", {}});
  EXPECT_EQ(every.now().value, 0);
  EXPECT_THAT(every.now().cap, HasSubstr("chroot-walk"));
}

TEST(Score, WhatCouldNotLookEarnsNothing) {
  const Rule first = made_up("first", Severity::High, Point::RootChange);
  const Rule second = made_up("second", Severity::High, Point::RootChange);
  const Rule third = made_up("third", Severity::High, Point::RootChange);
  const std::vector<const Rule*> rules = {&first, &second, &third};
  Audit audit;
  audit.asked = rules;
  audit.answers.asking(first);
  audit.answers.checked();
  audit.answers.asking(second);
  audit.answers.unknown("not readable");
  // The third was asked and does not apply here: it counts for nothing.
  PointScore one = at(score(audit, rules), Point::RootChange);
  EXPECT_EQ(one.earned, 6);
  EXPECT_EQ(one.unknown, 1u);
  EXPECT_THAT(one.why, HasSubstr("1 rule could not look"));
  // Left out with --skip: it is known that it was not looked at.
  audit.asked.pop_back();
  one = at(score(audit, rules), Point::RootChange);
  EXPECT_EQ(one.earned, 4);
  EXPECT_EQ(one.not_asked, 1u);
  // A rule that first could and then could not look has not looked.
  audit.answers.asking(first);
  audit.answers.unknown("gone");
  EXPECT_EQ(at(score(audit, rules), Point::RootChange).earned, 0);
}

TEST(Score, WhereNoRuleAppliesThereIsNoEvidence) {
  const Rule only = made_up("only", Severity::High, Point::Module);
  Audit audit;
  audit.asked = {&only};
  const PointScore one = at(score(audit, audit.asked), Point::Module);
  EXPECT_EQ(one.earned, 0);
  EXPECT_THAT(one.why, HasSubstr("applies"));
}

TEST(Score, AProcessOrItsDescriptionIsEnough) {
  const Rule live = made_up("live", Severity::High, Point::Filter, Concern::Isolation, Look::Process);
  const Rule words = made_up("words", Severity::High, Point::Filter, Concern::Isolation, Look::Described);
  const std::vector<const Rule*> rules = {&live, &words};
  for (const Rule* rule : rules) {
    Audit audit;
    audit.asked = {rule};
    audit.answers.asking(*rule);
    audit.answers.checked();
    EXPECT_EQ(at(score(audit, rules), Point::Filter).earned, 4) << rule->id;
  }
}

TEST(Score, SaysWhatElseCouldBeLookedAt) {
  const Rule tree = made_up("tree", Severity::High, Point::Filter, Concern::Isolation, Look::Tree);
  const Rule live = made_up("live", Severity::High, Point::Filter, Concern::Isolation, Look::Process);
  const Rule words = made_up("words", Severity::High, Point::Filter, Concern::Isolation, Look::Described);
  const std::vector<const Rule*> rules = {&tree, &live, &words};
  using Pairs = std::vector<std::pair<Look, size_t>>;
  Audit audit;
  EXPECT_EQ(not_asked(audit, rules), (Pairs{{Look::Tree, 1}, {Look::Process, 1}}));
  audit.asked = {&words};
  EXPECT_EQ(not_asked(audit, rules), (Pairs{{Look::Tree, 1}}));
  audit.asked = {&live, &tree};
  EXPECT_EQ(not_asked(audit, rules), Pairs());
}

TEST(Score, WhatSomebodyHasAcceptedIsNoBetter) {
  Everything every;
  every.finds(Point::Secrets, Severity::Medium);
  const int before = every.now().value;
  every.audit.accepted.push_back({0, "we know", {}});
  EXPECT_EQ(every.now().value, before);
}

TEST(Foretell, ByTheAttackOrItsCategory) {
  Audit audit = some_of_each();
  Battery battery;
  battery.escaped = {
      {"chroot-walk", "root", "", {}}, {"one-attack", "devices", "", {}}, {"other", "devices", "", {}}};
  foretell(battery, audit.answers.findings());
  EXPECT_THAT(battery.escaped[0].foretold_by,
              testing::ElementsAre("made-bits", "made-keys", "made-notes", "made-door"));
  EXPECT_THAT(battery.escaped[1].foretold_by, testing::SizeIs(4));
  EXPECT_THAT(battery.escaped[2].foretold_by, testing::IsEmpty());
}

}  // namespace
}  // namespace immure::audit
