#include "audit/baseline.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "audit/report.h"
#include "audit/score.h"
#include "base/text.h"

namespace immure::audit {
namespace {

using Json = nlohmann::json;

constexpr size_t kShownChanges = 40;

std::string text_of(const Json& object, const char* key) {
  if (!object.is_object()) return {};
  auto found = object.find(key);
  return found == object.end() || !found->is_string() ? std::string() : found->get<std::string>();
}

const Json& list_of(const Json& object, const char* key) {
  static const Json nothing = Json::array();
  if (!object.is_object()) return nothing;
  auto found = object.find(key);
  return found == object.end() || !found->is_array() ? nothing : *found;
}

std::optional<Severity> severity_of(std::string_view word) {
  for (int i = 0; i < kSeverityCount; ++i)
    if (word == key(static_cast<Severity>(i))) return static_cast<Severity>(i);
  return {};
}

tl::unexpected<Error> no_report(std::string_view shown_as, std::string why) {
  return fail(Code::kBadValue, immure::quoted(shown_as) + " is no report of immure audit", std::move(why),
              "make one with: immure audit … --json > FILE", "--baseline");
}

void add(std::map<Baseline::Place, Severity>& findings, Baseline::Place place, Severity severity) {
  auto [known, is_new] = findings.try_emplace(std::move(place), severity);
  if (!is_new) known->second = std::max(known->second, severity);
}

Result<Baseline::Jail> read_jail(const Json& object, std::string_view shown_as) {
  Baseline::Jail jail;
  jail.kind = text_of(object, "kind");
  const std::string same = text_of(object, "same");
  jail.name = same.empty() ? text_of(object, "name") : same;
  if (jail.kind.empty() || jail.name.empty()) return no_report(shown_as, "an audit has no kind or no name");
  if (auto score = object.find("score"); score != object.end() && score->is_object())
    if (auto value = score->find("value"); value != score->end() && value->is_number_integer())
      jail.score = value->get<int>();
  for (const Json& finding : list_of(object, "findings")) {
    const std::string rule = text_of(finding, "rule"), word = text_of(finding, "severity");
    const auto severity = severity_of(word);
    if (rule.empty() || !severity)
      return no_report(shown_as,
                       "a finding has no rule, or the severity " + immure::quoted(word) + ", which is none");
    if (!finding.contains("accepted")) add(jail.findings, {rule, text_of(finding, "where")}, *severity);
  }
  for (const Json& rule : list_of(object, "checked"))
    if (rule.is_string()) jail.checked.push_back(rule.get<std::string>());
  return jail;
}

// Several processes of the same name are one.
std::vector<Baseline::Jail> joined(const std::vector<Baseline::Jail>& jails) {
  std::vector<Baseline::Jail> out;
  for (const Baseline::Jail& jail : jails) {
    auto known = std::find_if(out.begin(), out.end(), [&](const Baseline::Jail& one) {
      return one.kind == jail.kind && one.name == jail.name;
    });
    if (known == out.end()) {
      out.push_back(jail);
      continue;
    }
    if (jail.score) known->score = std::min(known->score.value_or(*jail.score), *jail.score);
    for (const auto& [place, severity] : jail.findings) add(known->findings, place, severity);
    known->checked.insert(known->checked.end(), jail.checked.begin(), jail.checked.end());
  }
  return out;
}

bool could_look(const Baseline::Jail& jail, const std::string& rule) {
  return std::find(jail.checked.begin(), jail.checked.end(), rule) != jail.checked.end();
}

void compare_jail(const Baseline::Jail& then, const Baseline::Jail& now, Comparison& out) {
  if (then.score && now.score) out.scores.emplace_back(*then.score, *now.score);
  for (const auto& [place, severity] : now.findings) {
    auto known = then.findings.find(place);
    const auto before = known == then.findings.end() ? std::nullopt : std::optional(known->second);
    Change change{now.name, place.first, place.second, before, severity};
    if (before == severity)
      ++out.same;
    else if (severity > before.value_or(Severity::Advice))
      out.worse.push_back(std::move(change));
    else if (before)
      out.better.push_back(std::move(change));
  }
  for (const auto& [place, severity] : then.findings) {
    if (now.findings.contains(place)) continue;
    if (could_look(now, place.first))
      out.better.push_back({now.name, place.first, place.second, severity, {}});
    else if (std::find(out.unseen.begin(), out.unseen.end(), place.first) == out.unseen.end())
      out.unseen.push_back(place.first);
  }
}

void note_other(std::vector<std::string>& notes, const char* what, const std::string& before,
                const std::string& now) {
  if (before != now)
    notes.push_back("the baseline is of another " + std::string(what) + ": " + before + ", now " + now);
}

std::string severity_text(const std::optional<Severity>& severity, const char* nothing) {
  return severity ? key(*severity) : nothing;
}

std::string changes_text(const char* title, const std::vector<Change>& changes) {
  if (changes.empty()) return {};
  std::string out = std::string(title) + "\n";
  for (size_t i = 0; i < std::min(changes.size(), kShownChanges); ++i) {
    const Change& one = changes[i];
    out += printable("  " + severity_text(one.before, "not found") + " -> " +
                     severity_text(one.now, "not found") + "  " + one.rule + "  " + one.where + "  (" +
                     one.jail + ")") +
           "\n";
  }
  return changes.size() <= kShownChanges ? out
                                         : out + "  and " + num(changes.size() - kShownChanges) + " more\n";
}

}  // namespace

Result<Baseline> read_baseline(std::string_view text, std::string_view shown_as) {
  const Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) return no_report(shown_as, "it is not one JSON document");
  const std::string schema = text_of(document, "schema");
  if (schema != "immure.audit/1")
    return no_report(shown_as, schema.empty()
                                   ? "it has no schema"
                                   : "its schema is " + immure::quoted(schema) + ", not immure.audit/1");
  if (!document.contains("audits") || !document["audits"].is_array())
    return no_report(shown_as, "it has no list of audits");
  Baseline out;
  out.caller = text_of(document, "caller");
  out.kernel = text_of(document, "kernel");
  for (const Json& one : list_of(document, "audits")) {
    auto jail = read_jail(one, shown_as);
    if (!jail) return tl::unexpected<Error>(std::move(jail.error()));
    out.jails.push_back(std::move(*jail));
  }
  return out;
}

Baseline as_baseline(const Audits& audits) {
  Baseline out;
  out.caller = audits.caller;
  out.kernel = audits.kernel;
  for (const Audit& audit : audits.all) {
    Baseline::Jail jail;
    jail.kind = audit.target.kind;
    jail.name = printable(audit.target.same.empty() ? audit.target.name : audit.target.same);
    if (has_score(audit)) jail.score = score(audit, all_rules()).value;
    for (size_t at = 0; at < audit.answers.findings().size(); ++at) {
      const Finding& finding = audit.answers.findings()[at];
      if (accepted(audit, at) == nullptr)
        add(jail.findings, {finding.rule->id, printable(finding.where)}, finding.severity);
    }
    for (const Outcome& one : outcomes(audit))
      if (one.state == Answers::State::Checked) jail.checked.emplace_back(one.rule->id);
    out.jails.push_back(std::move(jail));
  }
  return out;
}

Comparison compare(const Baseline& then, const Baseline& now) {
  Comparison out;
  note_other(out.notes, "caller", then.caller, now.caller);
  note_other(out.notes, "kernel", then.kernel, now.kernel);
  const std::vector<Baseline::Jail> before = joined(then.jails), after = joined(now.jails);
  std::vector<bool> met(before.size());
  for (const Baseline::Jail& jail : after) {
    auto known = std::find_if(before.begin(), before.end(), [&](const Baseline::Jail& one) {
      return one.kind == jail.kind && one.name == jail.name;
    });
    if (known == before.end() && before.size() == 1 && after.size() == 1) {
      known = before.begin();
      note_other(out.notes, "jail", known->name, jail.name);
    }
    if (known == before.end()) {
      out.notes.push_back("the baseline does not have " + jail.name);
      for (const auto& [place, severity] : jail.findings)
        if (severity > Severity::Advice)
          out.worse.push_back({jail.name, place.first, place.second, {}, severity});
      continue;
    }
    met[static_cast<size_t>(known - before.begin())] = true;
    compare_jail(*known, jail, out);
  }
  for (size_t i = 0; i < before.size(); ++i)
    if (!met[i]) out.notes.push_back("only the baseline has " + before[i].name);
  auto by = [](std::optional<Severity> Change::*which) {
    return [which](const Change& a, const Change& b) { return a.*which > b.*which; };
  };
  std::stable_sort(out.worse.begin(), out.worse.end(), by(&Change::now));
  std::stable_sort(out.better.begin(), out.better.end(), by(&Change::before));
  return out;
}

std::string comparison_text(const Comparison& comparison, std::string_view shown_as) {
  std::string out = "\nCompared with " + immure::quoted(shown_as) + "\n";
  for (const std::string& note : comparison.notes) out += "note: " + printable(note) + "\n";
  out += changes_text("worse:", comparison.worse) + changes_text("better:", comparison.better);
  if (!comparison.unseen.empty())
    out += "could not look now: " + printable(join(comparison.unseen, ", ")) + "\n";
  for (const auto& [then, now] : comparison.scores)
    if (comparison.scores.size() == 1) out += "score: " + num_signed(then) + " -> " + num_signed(now) + "\n";
  out += comparison.worse.empty() ? "Nothing got worse" : num(comparison.worse.size()) + " got worse";
  return out + ", " + (comparison.better.empty() ? std::string("nothing") : num(comparison.better.size())) +
         " got better; " + num(comparison.same) + " as before.\n";
}

}  // namespace immure::audit
