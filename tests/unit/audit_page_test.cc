// All rules: what a row has to have, and that docs/rules.md is of them.
#include <gmock/gmock.h>

#include <cctype>
#include <cstdlib>
#include <set>

#include "audit/page.h"
#include "audit/report.h"
#include "audit/rule.h"
#include "base/file.h"
#include "base/text.h"
#include "documents.h"

namespace immure::audit {
namespace {

using documents::times;

bool is_id(std::string_view id) {
  for (char c : id)
    if (std::islower(static_cast<unsigned char>(c)) == 0 &&
        std::isdigit(static_cast<unsigned char>(c)) == 0 && c != '-')
      return false;
  return !id.empty() && id.front() != '-' && id.back() != '-';
}

// Full stops at the end or before a blank; the folder ".." is none.
size_t sentences(std::string_view text) {
  return times(text, ". ") - times(text, ".. ") + (text.ends_with('.') ? 1 : 0);
}

TEST(Sentences, AreCounted) {
  EXPECT_EQ(sentences("It is open. That is bad."), 2u);
  EXPECT_EQ(sentences("See /etc/x.conf, 1.5 and .. of it."), 1u);
  EXPECT_EQ(sentences("It is open. immure closes it."), 2u);
  EXPECT_EQ(sentences("No end"), 0u);
}

TEST(RuleTable, EachRowIsWhole) {
  std::set<std::string_view> ids;
  for (const Rule* rule : all_rules()) {
    SCOPED_TRACE(rule->id);
    EXPECT_TRUE(ids.insert(rule->id).second) << "used twice";
    EXPECT_TRUE(is_id(rule->id));
    EXPECT_LE(std::string_view(rule->id).size(), 34u) << "--list has so many columns";
    EXPECT_TRUE(std::string_view(rule->id).starts_with(std::string(key(rule->look)) + "-"));
    EXPECT_FALSE(std::string_view(rule->title).empty());
    EXPECT_LE(std::string_view(rule->title).size(), 60u);
    EXPECT_FALSE(std::string_view(rule->title).ends_with('.'));
    EXPECT_EQ(sentences(rule->why), 2u) << rule->why;
    EXPECT_TRUE(std::string_view(rule->why).ends_with('.')) << rule->why;
    EXPECT_FALSE(references(*rule).empty());
    EXPECT_NE(rule->check, nullptr);
    EXPECT_TRUE(rule->fix[0] != '\0' || rule->advice[0] != '\0') << "nothing to do about it";
    for (const char* text :
         {rule->title, rule->why, rule->fix, rule->advice, rule->reference, rule->predicts})
      EXPECT_EQ(printable(text), text);
    EXPECT_TRUE(rule->mend == Mend::None || rule->look == Look::Tree) << "--fix mends trees";
  }
}

TEST(RuleTable, IsInItsFoldersOrder) {
  for (int i = 0; i < kLookCount; ++i)
    for (const Rule* rule : rules(static_cast<Look>(i)))
      EXPECT_EQ(rule->look, static_cast<Look>(i)) << rule->id;
}

// What stands between braces in a fix is known; "${x}" is a shell's, and "{}" find's.
TEST(RuleTable, AFixHasNoOtherPlaceholders) {
  for (const Rule* rule : all_rules()) {
    const std::string_view fix = rule->fix;
    for (size_t at = fix.find('{'); at != std::string_view::npos; at = fix.find('{', at + 1)) {
      if (at > 0 && fix[at - 1] == '$') continue;
      const std::string_view word = fix.substr(at, fix.find('}', at) - at + 1);
      EXPECT_THAT(word, testing::AnyOf("{path}", "{pid}", "{value}", "{where}", "{tree}", "{keeper}", "{}")) << rule->id << ": " << fix;
    }
  }
}

TEST(RuleTable, AWrongNameHasANearestOne) {
  const std::string id = all_rules().front()->id;
  auto wrong = rule_named(id + "x");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::kUsage);
  EXPECT_EQ(wrong.error().how, "did you mean " + id + "?");
  EXPECT_EQ(*rule_named(id), all_rules().front());
}

TEST(RulesPage, HasEveryRuleOnceAndTheirNumbers) {
  const std::string page = rules_page();
  EXPECT_EQ(times(page, "\n### "), all_rules().size());
  EXPECT_EQ(times(page, "\n- Reference: "), all_rules().size());
  EXPECT_NE(page.find("| all | " + num(all_rules().size()) + " |"), std::string::npos);
  for (const Rule* rule : all_rules())
    EXPECT_EQ(times(page, "](#" + std::string(rule->id) + ")"), 1u) << rule->id;
}

TEST(RulesPage, IsTheCommittedOne) {
  const std::string path = IMMURE_SOURCE_DIR "/docs/rules.md";
  if (std::getenv("IMMURE_UPDATE") != nullptr) {
    ASSERT_TRUE(write_file_atomic(path, rules_page(), 0644));
  }
  const bool same = read_file(path).value_or("") == rules_page();
  EXPECT_TRUE(same) << "a rule has changed: run unit_audit once with IMMURE_UPDATE=1";
}

TEST(RuleList, FitsAndExplains) {
  const std::string list = list_text(all_rules());
  EXPECT_EQ(times(list, "\n"), all_rules().size());
  for (const Rule* rule : all_rules()) {
    EXPECT_EQ(times(list, std::string(rule->id) + " "), 1u) << rule->id;
    EXPECT_NE(explain_text(*rule).find(rule->why), std::string::npos);
  }
}

}  // namespace
}  // namespace immure::audit
