#include "audit/score.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"

namespace immure::audit {
namespace {

struct Row {
  int weight;
  Rung rung;
};
// In the order of Point.
constexpr std::array<Row, kPointCount> kRows = {{
    {12, Rung::Holds},   // RootChange
    {14, Rung::Holds},   // Privileges
    {10, Rung::Holds},   // TreePowers
    {10, Rung::Holds},   // TreeWriting
    {6, Rung::Holds},    // Secrets
    {8, Rung::Holds},    // Leaks
    {6, Rung::Watched},  // Integrity
    {6, Rung::Watched},  // Limits
    {8, Rung::Watched},  // Records
    {3, Rung::Deep},     // Namespaces
    {4, Rung::Deep},     // Filter
    {3, Rung::Deep},     // Module
    {2, Rung::Deep},     // Minimality
    {3, Rung::Deep},     // HostKernel
}};
constexpr std::array<int, kRungCount> kTops = {60, 80, 95};

constexpr int sum_to(Rung rung) {
  int sum = 0;
  for (const Row& row : kRows)
    if (row.rung <= rung) sum += row.weight;
  return sum;
}
static_assert(sum_to(Rung::Holds) == kTops[0] && sum_to(Rung::Watched) == kTops[1] &&
              sum_to(Rung::Deep) == kTops[2]);
static_assert(sum_to(Rung::Deep) + kBatteryWeight == 99, "never 100");

const Row& row_of(Point point) { return kRows[static_cast<size_t>(point)]; }

// What counts of a rule: that it was checked, or that it could not be.
std::map<const Rule*, Answers::State> states(const Answers& answers) {
  std::map<const Rule*, Answers::State> out;
  for (const Answers::Answer& answer : answers.answers()) {
    Answers::State& state = out[answer.rule];
    if (state != Answers::State::Unknown) state = answer.state;
  }
  return out;
}

std::set<Look> looks_of(const Audit& audit) {
  std::set<Look> looks;
  for (const Rule* rule : audit.asked) looks.insert(rule->look);
  return looks;
}

// A rule that nobody asked, and that would have had something to say: a running process says what its
// description says, and the other way round.
bool missing(const Rule& rule, const std::set<Look>& looks) {
  if (rule.look == Look::Described) return looks.contains(Look::Described);
  if (rule.look == Look::Process) return looks.contains(Look::Process) || !looks.contains(Look::Described);
  return true;
}

bool stopped_all(const std::optional<Battery>& battery) {
  return battery && battery->shows_something && battery->escaped.empty();
}

void say(std::string& why, const std::string& what) { why += (why.empty() ? "" : "; ") + what; }

std::string rules_text(size_t n) { return num(n) + (n == 1 ? " rule" : " rules"); }

// The rules of a severity that found something, the first few by name.
std::string names_of(const Audit& audit, Point point, Severity worst) {
  constexpr size_t kNamed = 3;
  std::set<std::string> names;
  for (const Finding& finding : audit.answers.findings())
    if (finding.rule->point == point && finding.severity == worst) names.insert(finding.rule->id);
  std::string out;
  size_t n = 0;
  for (const std::string& name : names) {
    if (++n > kNamed) break;
    out += (out.empty() ? "" : ", ") + name;
  }
  return names.size() > kNamed ? out + " and " + num(names.size() - kNamed) + " more" : out;
}

void weigh(const Audit& audit, PointScore& one) {
  const size_t all = one.checked + one.unknown + one.not_asked;
  const bool tested = stopped_all(audit.battery);
  const bool half_is_tested = row_of(one.point).rung == Rung::Watched;
  int possible = one.weight;
  if (half_is_tested && !tested) possible = one.weight / 2;
  if (one.worst && *one.worst >= Severity::Medium)
    possible = 0;
  else if (one.worst && *one.worst == Severity::Low)
    possible /= 2;
  if (one.checked > 0) one.earned = possible * static_cast<int>(one.checked) / static_cast<int>(all);
  if (one.worst && *one.worst >= Severity::Low)
    say(one.why, std::string(key(*one.worst)) + ": " + names_of(audit, one.point, *one.worst));
  if (one.checked == 0 && one.unknown == 0)
    say(one.why, one.not_asked == 0 ? "no rule of it applies here" : "not looked at");
  else if (one.not_asked > 0)
    say(one.why, rules_text(one.not_asked) + " not asked");
  if (one.unknown > 0) say(one.why, rules_text(one.unknown) + " could not look");
  if (half_is_tested && !tested) say(one.why, "half is for a battery that was run (--prove)");
}

void weigh_battery(const std::optional<Battery>& battery, Score& score) {
  if (!battery) {
    score.battery_why = "not run (--prove)";
  } else if (!battery->escaped.empty()) {
    score.battery_why = num(battery->escaped.size()) + " escaped";
  } else if (!battery->shows_something) {
    score.battery_why = "it showed (nearly) nothing";
  } else if (battery->exposed > 0) {
    score.battery = kBatteryWeight / 2;
    score.battery_why = num(battery->exposed) + " exposed";
  } else {
    score.battery = kBatteryWeight;
  }
}

}  // namespace

bool has_score(const Audit& audit) { return audit.target.kind != "host"; }

int weight(Point point) { return row_of(point).weight; }
Rung rung(Point point) { return row_of(point).rung; }
int top(Rung rung) { return kTops[static_cast<size_t>(rung)]; }

const char* title(Rung rung) {
  switch (rung) {
    case Rung::Holds: return "the root and the privileges hold";
    case Rung::Watched: return "it is watched, bounded, and was tested";
    case Rung::Deep: return "deep isolation";
  }
  return "";
}

int Score::of(Rung wanted) const {
  int earned = 0;
  for (const PointScore& one : points)
    if (rung(one.point) == wanted) earned += one.earned;
  return earned;
}

std::vector<std::pair<Look, size_t>> not_asked(const Audit& audit, std::span<const Rule* const> all) {
  const std::set<const Rule*> asked(audit.asked.begin(), audit.asked.end());
  const std::set<Look> looks = looks_of(audit);
  std::vector<std::pair<Look, size_t>> out;
  for (int i = 0; i < kLookCount; ++i) {
    const auto look = static_cast<Look>(i);
    const auto n = std::count_if(all.begin(), all.end(), [&](const Rule* rule) {
      return rule->look == look && !asked.contains(rule) && missing(*rule, looks);
    });
    if (n > 0) out.emplace_back(look, static_cast<size_t>(n));
  }
  return out;
}

Score score(const Audit& audit, std::span<const Rule* const> all) {
  Score out;
  const auto said = states(audit.answers);
  const std::set<const Rule*> asked(audit.asked.begin(), audit.asked.end());
  const std::set<Look> looks = looks_of(audit);
  bool critical = false;
  for (int i = 0; i < kPointCount; ++i) {
    PointScore one;
    one.point = static_cast<Point>(i);
    one.weight = weight(one.point);
    for (const Rule* rule : all) {
      if (rule->point != one.point) continue;
      auto state = said.find(rule);
      if (state != said.end())
        ++(state->second == Answers::State::Unknown ? one.unknown : one.checked);
      else if (!asked.contains(rule) && missing(*rule, looks))
        ++one.not_asked;
    }
    for (const Finding& finding : audit.answers.findings()) {
      if (finding.rule->point != one.point) continue;
      one.worst = std::max(one.worst.value_or(finding.severity), finding.severity);
      critical = critical || finding.severity == Severity::Critical;
    }
    weigh(audit, one);
    out.sum += one.earned;
    out.points.push_back(std::move(one));
  }
  weigh_battery(audit.battery, out);
  out.sum += out.battery;
  out.value = out.sum;
  if (critical && out.sum > kCriticalCap) {
    out.value = kCriticalCap;
    out.cap = "a critical finding allows no more than " + num_signed(kCriticalCap);
  }
  if (audit.battery && !audit.battery->escaped.empty()) {
    out.value = 0;
    out.cap = "an attack escaped: " + audit.battery->escaped.front().id;
  }
  return out;
}

}  // namespace immure::audit
