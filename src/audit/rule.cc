#include "audit/rule.h"

#include <array>
#include <utility>

#include "audit/facts.h"
#include "base/text.h"

namespace immure::audit {
namespace {

constexpr std::array<const char*, 5> kSeverities = {"advice", "low", "medium", "high", "critical"};
constexpr std::array<const char*, 3> kConcerns = {"isolation", "privilege", "monitoring"};
constexpr std::array<const char*, 4> kLooks = {"tree", "process", "host", "described"};
constexpr std::array<const char*, kPointCount> kPoints = {
    "root-change", "privileges", "tree-powers", "tree-writing", "secrets", "leaks",      "integrity",
    "limits",      "records",    "namespaces",  "filter",       "module",  "minimality", "host-kernel"};

constexpr std::array<Look, 4> kAllLooks = {Look::Tree, Look::Process, Look::Host, Look::Described};

bool has(const Facts& facts, Look look) {
  switch (look) {
    case Look::Tree: return facts.tree != nullptr;
    case Look::Process: return facts.live != nullptr;
    case Look::Host: return facts.host != nullptr;
    case Look::Described: return facts.described != nullptr;
  }
  return false;
}

}  // namespace

void Answers::found(std::string where, std::string evidence, std::string path, std::string value) {
  found(rule_->severity, std::move(where), std::move(evidence), std::move(path), std::move(value));
}

void Answers::found(Severity severity, std::string where, std::string evidence, std::string path,
                    std::string value) {
  checked();
  findings_.push_back(
      {rule_, severity, std::move(where), std::move(path), std::move(evidence), std::move(value), false});
}

void Answers::has_several_names() {
  if (!findings_.empty()) findings_.back().several_names = true;
}

void Answers::checked() { answer(State::Checked, {}); }
void Answers::unknown(std::string why) { answer(State::Unknown, std::move(why)); }

void Answers::answer(State state, std::string why) {
  if (answers_.empty() || answers_.back().rule != rule_) {
    answers_.push_back({rule_, state, std::move(why)});
  } else if (state == State::Unknown) {
    answers_.back() = {rule_, state, std::move(why)};
  }
}

void Answers::join(Answers&& other) {
  for (Finding& finding : other.findings_) findings_.push_back(std::move(finding));
  for (Answer& answer : other.answers_) answers_.push_back(std::move(answer));
}

std::span<const Rule* const> rules(Look look) {
  switch (look) {
    case Look::Tree: return tree_rules();
    case Look::Process: return process_rules();
    case Look::Host: return host_rules();
    case Look::Described: return described_rules();
  }
  return {};
}

std::vector<const Rule*> all_rules() {
  std::vector<const Rule*> all;
  for (Look look : kAllLooks)
    for (const Rule* rule : rules(look)) all.push_back(rule);
  return all;
}

const Rule* find_rule(std::string_view id) {
  for (const Rule* rule : all_rules())
    if (rule->id == id) return rule;
  return nullptr;
}

Result<const Rule*> rule_named(std::string_view id) {
  const Rule* rule = find_rule(id);
  if (rule != nullptr) return rule;
  std::vector<std::string_view> names;
  for (const Rule* one : all_rules()) names.emplace_back(one->id);
  const std::string_view near = nearest(id, names);
  return fail(Code::kUsage, "there is no rule " + quoted(id), {},
              near.empty() ? "immure audit --list" : "did you mean " + std::string(near) + "?");
}

std::vector<const Rule*> askable(const Facts& facts) {
  std::vector<const Rule*> out;
  for (Look look : kAllLooks)
    if (has(facts, look)) out.insert(out.end(), rules(look).begin(), rules(look).end());
  return out;
}

Answers ask(const Facts& facts, std::span<const Rule* const> chosen) {
  Answers answers;
  for (const Rule* rule : chosen) {
    answers.asking(*rule);
    rule->check(facts, answers);
  }
  return answers;
}

Answers ask(const Facts& facts) { return ask(facts, askable(facts)); }

const char* key(Severity severity) { return kSeverities[static_cast<size_t>(severity)]; }
const char* key(Concern concern) { return kConcerns[static_cast<size_t>(concern)]; }
const char* key(Look look) { return kLooks[static_cast<size_t>(look)]; }
const char* key(Point point) { return kPoints[static_cast<size_t>(point)]; }

}  // namespace immure::audit
