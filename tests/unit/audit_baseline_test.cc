// An earlier report beside one of now.
#include <gmock/gmock.h>

#include "audit/baseline.h"
#include "audit/report.h"
#include "audit_made_up.h"

namespace immure::audit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Baseline read_back(const Audits& audits) {
  auto out = read_baseline(report_json(audits), "b.json");
  EXPECT_TRUE(out);
  return out ? *out : Baseline();
}

Audit with(const Rule& rule, std::vector<std::pair<Severity, std::string>> places) {
  Audit audit;
  audit.target = {"root", "/srv/jail", {}, 0, {}};
  audit.asked = {&rule};
  audit.answers.asking(rule);
  audit.answers.checked();
  for (auto& [severity, where] : places) audit.answers.found(severity, where, "evidence");
  return audit;
}

std::vector<std::string> places(const std::vector<Change>& changes) {
  std::vector<std::string> out;
  for (const Change& one : changes) out.push_back(one.where);
  return out;
}

TEST(AuditBaseline, OfItselfNothingChanged) {
  for (const std::string& words : {std::string("words"), kHostile}) {
    const Audits audits = one_audit(some_of_each(words));
    const Comparison same = compare(read_back(audits), as_baseline(audits));
    EXPECT_THAT(same.worse, IsEmpty());
    EXPECT_THAT(same.better, IsEmpty());
    EXPECT_THAT(same.unseen, IsEmpty());
    EXPECT_THAT(same.notes, IsEmpty());
    EXPECT_EQ(same.same, 8u);
    ASSERT_THAT(same.scores, SizeIs(1));
    EXPECT_EQ(same.scores[0].first, same.scores[0].second);
  }
}

TEST(AuditBaseline, NewAndRisenIsWorseGoneAndFallenIsBetter) {
  const Baseline then = read_back(one_audit(
      with(kBits, {{Severity::High, "/gone"}, {Severity::Low, "/risen"}, {Severity::High, "/fallen"}})));
  const Comparison change =
      compare(then, as_baseline(one_audit(with(kBits, {{Severity::Medium, "/new"},
                                                       {Severity::High, "/risen"},
                                                       {Severity::Low, "/fallen"},
                                                       {Severity::Advice, "/only advice"}}))));
  EXPECT_THAT(places(change.worse), ElementsAre("/risen", "/new")) << "the worst first";
  EXPECT_THAT(places(change.better), testing::UnorderedElementsAre("/gone", "/fallen"));
  const std::string text = comparison_text(change, "b.json");
  EXPECT_THAT(text, HasSubstr("low -> high  made-bits  /risen"));
  EXPECT_THAT(text, HasSubstr("not found -> medium  made-bits  /new"));
  EXPECT_THAT(text, HasSubstr("2 got worse, 2 got better"));
}

TEST(AuditBaseline, WhatCannotBeLookedAtIsNotBetter) {
  const Baseline then = read_back(one_audit(with(kBits, {{Severity::High, "/x"}})));
  Audit blind = with(kBits, {});
  blind.answers.asking(kKeys);
  blind.answers.asking(kBits);
  blind.answers.unknown("not readable");
  const Comparison change = compare(then, as_baseline(one_audit(blind)));
  EXPECT_THAT(change.better, IsEmpty());
  EXPECT_THAT(change.unseen, ElementsAre("made-bits"));
  EXPECT_THAT(comparison_text(change, "b"), HasSubstr("could not look now: made-bits"));
}

TEST(AuditBaseline, WhatWasAcceptedIsNotFound) {
  Audit then = with(kBits, {{Severity::High, "/x"}});
  then.accepted = {{0, "we know", {}}};
  const Audit now = with(kBits, {{Severity::High, "/x"}});
  EXPECT_THAT(compare(read_back(one_audit(then)), as_baseline(one_audit(now))).worse, SizeIs(1))
      << "nobody has accepted it any more";
  EXPECT_THAT(compare(read_back(one_audit(now)), as_baseline(one_audit(then))).better, SizeIs(1));
}

TEST(AuditBaseline, JailsAreKnownByKindAndNameAProcessWithoutItsNumber) {
  auto process = [](int pid, const char* name, const char* where) {
    Audit audit = with(kBits, {{Severity::High, where}});
    audit.target = {"process", std::to_string(pid) + " (" + name + ")", name, pid, {}};
    return audit;
  };
  Audits then = one_audit(process(1, "nginx", "/a")), now = one_audit(process(7, "nginx", "/a"));
  then.all.push_back(process(2, "cron", "/b"));
  now.all.push_back(process(8, "cron", "/c"));
  now.all.push_back(process(9, "sshd", "/d"));
  const Comparison change = compare(read_back(then), as_baseline(now));
  EXPECT_THAT(places(change.worse), testing::UnorderedElementsAre("/c", "/d"));
  EXPECT_THAT(places(change.better), ElementsAre("/b"));
  EXPECT_THAT(change.notes, ElementsAre(HasSubstr("does not have sshd")));
}

TEST(AuditBaseline, OneIsComparedWithOneWhateverTheirNames) {
  Audit other = with(kBits, {{Severity::High, "/x"}});
  other.target.name = "/srv/copy";
  const Comparison change =
      compare(read_back(one_audit(with(kBits, {{Severity::High, "/x"}}))), as_baseline(one_audit(other)));
  EXPECT_THAT(change.worse, IsEmpty());
  EXPECT_THAT(change.notes, ElementsAre(HasSubstr("another jail: /srv/jail, now /srv/copy")));
}

TEST(AuditBaseline, OthersAreNoReports) {
  for (
      const char* text :
      {"", "x", "[]", "{}", "{\"schema\":\"immure.prove/1\"}", "{\"schema\":\"immure.audit/1\"}",
       "{\"schema\":\"immure.audit/1\",\"audits\":[1]}", "{\"schema\":\"immure.audit/1\",\"audits\":[{}]}",
       "{\"schema\":\"immure.audit/1\",\"audits\":[{\"kind\":\"root\",\"name\":\"x\",\"findings\":[{\"rule\":"
       "\"a\",\"severity\":\"odd\"}]}]}",
       "{\"schema\":\"immure.audit/1\",\"audits\":[{\"kind\":\"root\",\"name\":\"x\",\"findings\":[7]}]}"}) {
    auto out = read_baseline(text, "b.json");
    ASSERT_FALSE(out) << text;
    EXPECT_EQ(out.error().code, Code::kBadValue);
    EXPECT_THAT(out.error().what, HasSubstr("'b.json'"));
  }
}

}  // namespace
}  // namespace immure::audit
