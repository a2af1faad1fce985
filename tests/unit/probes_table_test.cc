// Every attack's row: what reports, --explain and the battery take for granted.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "base/text.h"
#include "input/options.h"
#include "probes/probe.h"

namespace immure::probes {
namespace {

std::vector<std::pair<Category, const Probe*>> all_rows() {
  std::vector<std::pair<Category, const Probe*>> rows;
  for (int c = 0; c < kCategoryCount; ++c)
    for (auto group : groups(static_cast<Category>(c)))
      for (const Probe& probe : group) rows.emplace_back(static_cast<Category>(c), &probe);
  return rows;
}

// Characters, not bytes.
size_t length(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// A sentence ends with a mark at the end or before a blank and what can begin one: "e.g. x" and "2.6 is" end
// none.
size_t sentences(std::string_view text) {
  size_t n = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (std::strchr(".?!", text[i]) == nullptr) continue;
    size_t next = i + 1;
    while (next < text.size() && std::strchr("\")", text[next]) != nullptr) ++next;
    if (next == text.size())
      ++n;
    else if (text[next] == ' ' && next + 1 < text.size() &&
             std::islower(static_cast<unsigned char>(text[next + 1])) == 0)
      ++n;
  }
  return n;
}

// One that says what is done and what it gives is enough for the variants of a technique.
constexpr size_t kFewestSentences = 1, kShortestAbout = 20;

TEST(ProbesTable, CountsSentences) {
  EXPECT_EQ(sentences("One. Two (of 2.6). Three \"so.\" /proc is the fourth. Five?"), 5u);
  EXPECT_EQ(sentences("e.g. this, i.e. that."), 1u);
  EXPECT_EQ(sentences("none"), 0u);
}

TEST(ProbesTable, CountsAndFindsItsRows) {
  EXPECT_EQ(count(), all_rows().size());
  EXPECT_EQ(find("no-such-attack"), nullptr);
  for (const auto& [category, probe] : all_rows()) EXPECT_EQ(find(probe->id), probe) << probe->id;
}

TEST(ProbesTable, IdsAreUniqueAndPlain) {
  std::set<std::string_view> ids;
  for (int c = 0; c < kCategoryCount; ++c) ids.insert(key(static_cast<Category>(c)));  // --only takes either
  for (const auto& [category, probe] : all_rows()) {
    const std::string_view id = probe->id;
    EXPECT_TRUE(ids.insert(id).second) << id << " is there twice";
    EXPECT_FALSE(id.empty());
    EXPECT_LE(id.size(), 27u) << id << " is wider than its column";
    EXPECT_EQ(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), std::string_view::npos) << id;
    EXPECT_FALSE(id.starts_with('-') || id.ends_with('-')) << id;
    EXPECT_EQ(probe->category, category) << id << " is in another category's folder";
  }
}

TEST(ProbesTable, EveryRowTellsWhatItIs) {
  for (const auto& [category, probe] : all_rows()) {
    const std::string_view technique = probe->technique, about = probe->about;
    EXPECT_FALSE(technique.empty()) << probe->id;
    EXPECT_LE(length(technique), 60u) << probe->id << ": " << technique;
    EXPECT_GE(length(about), kShortestAbout) << probe->id << ": " << about;
    EXPECT_LE(length(about), 700u) << probe->id << ": " << length(about);
    EXPECT_GE(sentences(about), kFewestSentences) << probe->id << ": " << about;
    EXPECT_LE(sentences(about), 4u) << probe->id << ": " << about;
    EXPECT_GE(std::strlen(probe->reference), 3u) << probe->id;
    for (std::string_view text : {technique, about, std::string_view(probe->reference)}) {
      EXPECT_EQ(printable(text), text) << probe->id;
      EXPECT_EQ(text.find("  "), std::string_view::npos) << probe->id << ": two blanks in: " << text;
      EXPECT_EQ(trim(text), text) << probe->id;
    }
  }
}

TEST(ProbesTable, EveryRowCanRunAndIsStoppedBySomething) {
  for (const auto& [category, probe] : all_rows()) {
    EXPECT_NE(probe->run, nullptr) << probe->id;
    EXPECT_NE(probe->stopped_by, 0u) << probe->id;
    EXPECT_EQ(probe->stopped_by >> kLayerCount, 0u) << probe->id;
    EXPECT_NE(probe->word, nullptr) << probe->id;
    const bool planted = (probe->flags & (kPlanted | kPlantedByRoot)) != 0;
    EXPECT_TRUE(planted || (probe->flags & kHardLinks) == 0) << probe->id;
    EXPECT_TRUE((probe->flags & kBlockNode) == 0 || (probe->flags & kPlantedByRoot) != 0) << probe->id;
  }
}

// What does damage is told apart by its category, and by what asks for consent.
TEST(ProbesTable, DamageStandsAlone) {
  for (const auto& [category, probe] : all_rows()) {
    const bool expendable = (probe->flags & kExpendable) != 0, fatal = (probe->flags & kFatal) != 0;
    EXPECT_EQ(category == Category::Damage, expendable) << probe->id;
    EXPECT_TRUE(expendable || !fatal) << probe->id;
    EXPECT_TRUE(expendable || probe->proof != Proof::Damage) << probe->id;
    EXPECT_EQ(std::string_view(probe->id).starts_with("damage-"), expendable) << probe->id;
  }
}

// What loosens the control's jail are words that `immure run` takes, and no command.
Status control_words(const Probe& probe) {
  std::vector<std::string> words;
  for (std::string_view word : split(probe.control.words, ' '))
    if (!word.empty()) words.emplace_back(word);
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  auto parsed = parse_arguments(pointers, 2);
  if (!parsed) return tl::unexpected<Error>(parsed.error());
  if (!parsed->command.empty()) return fail(Code::kUsage, "a command: " + parsed->command.front());
  if (parsed->help || parsed->dry_run) return fail(Code::kUsage, "runs nothing");
  Jail jail;
  for (const Word& word : parsed->words) IMMURE_TRY(apply(jail, word));
  return {};
}

TEST(ProbesTable, ControlsLoosenTheJailInItsOwnWords) {
  for (const auto& [category, probe] : all_rows()) {
    const bool in_jail = probe->control.place == Control::Place::Jail;
    EXPECT_EQ(in_jail, std::strlen(probe->control.words) > 0) << probe->id << ": " << probe->control.words;
    Status read = control_words(*probe);
    EXPECT_TRUE(read) << probe->id << ": " << probe->control.words << "\n"
                      << (read ? "" : format(read.error()));
  }
}

TEST(ProbesTable, ControlWordsCanBeWrong) {
  Probe probe{};
  for (const char* words :
       {"--no-such-option", "--weaken nothing-known", "true", "--need seccomp=sometimes"}) {
    probe.control = loosened(words);
    EXPECT_FALSE(control_words(probe)) << words;
  }
}

}  // namespace
}  // namespace immure::probes
