#include "prove/baseline.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace immure::prove {
namespace {

using Json = nlohmann::json;

int rank(Verdict verdict) {
  switch (verdict) {
    case Verdict::Blocked: return 0;
    case Verdict::NotApplicable:
    case Verdict::Inconclusive: return 1;
    case Verdict::Exposed: return 2;
    case Verdict::Escaped: return 3;
  }
  return 3;
}

std::optional<Verdict> verdict_of(std::string_view word) {
  for (int i = 0; i < kVerdictCount; ++i)
    if (word == key(static_cast<Verdict>(i))) return static_cast<Verdict>(i);
  return {};
}

// The text under a key, or nothing.
std::optional<std::string> text_of(const Json& object, const char* key) {
  if (!object.is_object()) return {};
  auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return {};
  return found->get<std::string>();
}

tl::unexpected<Error> no_report(std::string_view shown_as, std::string why) {
  return fail(Code::kBadValue, immure::quoted(shown_as) + " is no report of immure prove", std::move(why),
              "make one with: immure prove --json > FILE", "--baseline");
}

void note(std::vector<std::string>& notes, const char* what, const std::string& before,
          const std::string& now) {
  if (before != now)
    notes.push_back("the baseline is of another " + std::string(what) + ": " + before + ", now " + now);
}

// The first few names, and how many there are besides.
std::string some_of(const std::vector<std::string>& names) {
  constexpr size_t kShownNames = 8;
  std::string out;
  for (size_t i = 0; i < std::min(names.size(), kShownNames); ++i) out += (i == 0 ? "" : ", ") + names[i];
  return names.size() <= kShownNames ? out : out + " and " + num(names.size() - kShownNames) + " more";
}

std::string changes_text(const char* title, const std::vector<Change>& changes) {
  if (changes.empty()) return {};
  std::string out = std::string(title) + "\n";
  for (const Change& one : changes) {
    std::string line = "  " + one.id;
    line.append(line.size() < 30 ? 30 - line.size() : 1, ' ');
    line += (one.before ? key(*one.before) : "new") + std::string(" -> ") + key(one.now);
    if (!one.outcome.empty()) line += ": " + one.outcome;
    out += printable(line) + "\n";
  }
  return out;
}

}  // namespace

Result<Baseline> read_baseline(std::string_view text, std::string_view shown_as) {
  const Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) return no_report(shown_as, "it is not one JSON document");
  auto schema = text_of(document, "schema");
  if (!schema) return no_report(shown_as, "it has no schema");
  if (*schema != "immure.prove/1")
    return no_report(shown_as, "its schema is " + immure::quoted(*schema) + ", not immure.prove/1");
  auto attacks = document.find("attacks");
  if (attacks == document.end() || !attacks->is_array())
    return no_report(shown_as, "it has no list of attacks");
  Baseline baseline;
  baseline.subject.jail = text_of(document, "jail").value_or("");
  baseline.subject.caller = text_of(document, "caller").value_or("");
  baseline.subject.kernel = text_of(document, "kernel").value_or("");
  std::map<std::string, int> seen;
  for (const Json& attack : *attacks) {
    const std::string at = "attack " + num(baseline.attacks.size() + 1);
    auto id = text_of(attack, "id"), word = text_of(attack, "verdict");
    if (!id || !word) return no_report(shown_as, at + " has no id or no verdict");
    auto verdict = verdict_of(*word);
    if (!verdict)
      return no_report(shown_as, at + " has the verdict " + immure::quoted(*word) + ", which is none");
    if (++seen[*id] > 1) return no_report(shown_as, immure::quoted(*id) + " is in it twice");
    baseline.attacks.push_back({std::move(*id), *verdict});
  }
  return baseline;
}

Comparison compare(const Baseline& baseline, const Verdicts& verdicts, const Subject& subject) {
  Comparison out;
  note(out.notes, "jail", baseline.subject.jail, subject.jail);
  note(out.notes, "caller", baseline.subject.caller, subject.caller);
  note(out.notes, "kernel", baseline.subject.kernel, subject.kernel);
  std::map<std::string, Verdict> before;
  for (const Baseline::Attack& attack : baseline.attacks) before.emplace(attack.id, attack.verdict);
  for (const Judged& one : verdicts.all) {
    Change change{one.probe->id, {}, one.verdict, outcome_text(one)};
    auto known = before.find(change.id);
    if (known == before.end()) {
      ++out.added;
      if (rank(one.verdict) >= rank(Verdict::Exposed)) out.worse.push_back(std::move(change));
      continue;
    }
    ++out.known;
    change.before = known->second;
    before.erase(known);
    const int was = rank(*change.before), is = rank(one.verdict);
    if (is > was)
      out.worse.push_back(std::move(change));
    else if (is < was)
      out.better.push_back(std::move(change));
  }
  for (const Baseline::Attack& attack : baseline.attacks)
    if (before.contains(attack.id)) out.missing.push_back(attack.id);
  return out;
}

std::string comparison_text(const Comparison& comparison, std::string_view shown_as) {
  std::string out = "\nCompared with " + immure::quoted(shown_as) + "\n";
  for (const std::string& note : comparison.notes) out += "note: " + printable(note) + "\n";
  out += changes_text("worse:", comparison.worse) + changes_text("better:", comparison.better);
  if (!comparison.missing.empty()) out += "not tried now: " + printable(some_of(comparison.missing)) + "\n";
  out += comparison.worse.empty() ? "Nothing got worse" : num(comparison.worse.size()) + " got worse";
  out += ", " + (comparison.better.empty() ? std::string("nothing") : num(comparison.better.size())) +
         " got better; " + num(comparison.known) + " attacks are in both, " + num(comparison.added) +
         " only now, " + num(comparison.missing.size()) + " only then.\n";
  return out;
}

}  // namespace immure::prove
