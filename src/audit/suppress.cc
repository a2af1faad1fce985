#include "audit/suppress.h"

#include <algorithm>
#include <ctime>
#include <map>

#include "base/text.h"
#include "input/toml.h"
#include "rootfs/family.h"

namespace immure::audit {
namespace {

constexpr int64_t kDay = 86400;  // seconds

tl::unexpected<Error> wrong(std::string what, std::string why, std::string how, const std::string& place) {
  return fail(Code::kBadProfile, std::move(what), std::move(why), std::move(how), place);
}

// The end of a day of UTC, "2027-01-31"; 0: it is none.
int64_t end_of_day(const std::string& text) {
  tm day{};
  const char* end = strptime(text.c_str(), "%Y-%m-%d", &day);
  if (text.size() != std::string_view("2027-01-31").size() || end == nullptr || *end != '\0') return 0;
  const tm asked = day;
  const time_t begin = timegm(&day);
  // The 31st of a month that has 30 is another day.
  if (day.tm_mday != asked.tm_mday || day.tm_mon != asked.tm_mon) return 0;
  return begin + kDay;
}

struct Key {
  std::string_view name;
  std::string Suppression::*text;
};
constexpr Key kKeys[] = {{"where", &Suppression::where},
                         {"target", &Suppression::target},
                         {"reason", &Suppression::reason},
                         {"until", &Suppression::until}};

Status read_member(Suppression& into, const ProfileNode& member, const std::string& place) {
  if (member.kind != ProfileNode::Kind::Text)
    return wrong(quoted(member.key) + " is no text", member.text.empty() ? "" : "it is " + member.text,
                 "write it between quotes", place);
  if (member.key == "rule") {
    auto rule = rule_named(member.text);
    if (!rule) return wrong(rule.error().what, rule.error().why, rule.error().how, place);
    into.rule = *rule;
    return {};
  }
  const auto* known = std::find_if(std::begin(kKeys), std::end(kKeys),
                                   [&](const Key& one) { return one.name == member.key; });
  if (known == std::end(kKeys)) {
    constexpr std::string_view kNames[] = {"rule", "where", "target", "reason", "until"};
    const std::string_view near = nearest(member.key, kNames);
    return wrong(
        "a suppression has no " + quoted(member.key), {},
        near.empty() ? "rule, where, target, reason, until" : "did you mean " + std::string(near) + "?",
        place);
  }
  into.*known->text = member.text;
  if (known->text != &Suppression::until) return {};
  into.end = end_of_day(member.text);
  if (into.end == 0) return wrong(quoted(member.text) + " is no day", {}, "until = \"2027-01-31\"", place);
  return {};
}

Result<Suppression> read_one(const ProfileNode& table, std::string_view shown_as) {
  Suppression out;
  out.place = std::string(shown_as) + table.place;
  if (table.kind != ProfileNode::Kind::Table)
    return wrong("a suppression is a table", {}, "[[suppress]]", out.place);
  for (const ProfileNode& member : table.members)
    IMMURE_TRY(read_member(out, member, std::string(shown_as) + member.place));
  if (out.rule == nullptr)
    return wrong("a suppression names no rule", {}, "rule = \"…\", of immure audit --list", out.place);
  if (trim(out.reason).empty())
    return wrong("the suppression of " + std::string(out.rule->id) + " has no reason",
                 "who reads it in a year wants to know", "reason = \"…\"", out.place);
  return out;
}

// As it is, or as a report shows it, where a backslash is one. A jail's names may be long and made to be
// slow: this matcher never goes back further than to the last star.
bool matches(const std::string& pattern, const std::string& text) {
  if (rootfs::matches(pattern, text, true, nullptr)) return true;
  const std::string shown = printable(text);
  if (shown == text) return false;
  std::string literal;
  for (char c : pattern) literal += c == '\\' ? std::string("\\\\") : std::string(1, c);
  return rootfs::matches(literal, shown, true, nullptr);
}

bool covers(const Suppression& one, const Audit& audit, const Finding& finding) {
  return finding.rule == one.rule && matches(one.where, finding.where) &&
         (matches(one.target, audit.target.name) ||
          (!audit.target.same.empty() && matches(one.target, audit.target.same)));
}

bool was_asked(const std::vector<Audit>& audits, const Rule* rule) {
  return std::any_of(audits.begin(), audits.end(), [&](const Audit& audit) {
    return std::find(audit.asked.begin(), audit.asked.end(), rule) != audit.asked.end();
  });
}

}  // namespace

Result<std::vector<Suppression>> read_suppressions(std::string_view text, std::string_view shown_as) {
  auto top = parse_toml(text, shown_as);
  if (!top) {
    // The reader of TOML speaks of profiles.
    top.error().what = "cannot read the file of suppressions " + immure::quoted(shown_as);
    if (top.error().how.empty()) top.error().how = "mend the TOML at the place named below";
    return tl::unexpected<Error>(std::move(top.error()));
  }
  std::vector<Suppression> out;
  for (const ProfileNode& member : top->members) {
    const std::string place = std::string(shown_as) + member.place;
    if (member.key != "suppress" || member.kind != ProfileNode::Kind::List)
      return wrong("a file of suppressions has no " + quoted(member.key), {}, "[[suppress]], once for each",
                   place);
    for (const ProfileNode& item : member.items) {
      auto one = read_one(item, shown_as);
      if (!one) return tl::unexpected<Error>(std::move(one.error()));
      out.push_back(std::move(*one));
    }
  }
  return out;
}

std::vector<std::string> suppress(std::vector<Audit>& audits, const std::vector<Suppression>& all,
                                  int64_t now) {
  std::vector<std::string> notes;
  std::vector<std::map<size_t, const Suppression*>> taken(audits.size());
  for (const Suppression& one : all) {
    const bool over = one.end != 0 && now >= one.end;
    size_t n = 0;
    for (size_t i = 0; i < audits.size(); ++i)
      for (size_t at = 0; at < audits[i].answers.findings().size(); ++at) {
        if (!covers(one, audits[i], audits[i].answers.findings()[at])) continue;
        ++n;
        if (!over) taken[i].try_emplace(at, &one);
      }
    const std::string which = "the suppression of " + std::string(one.rule->id) + " at " + one.place;
    if (over)
      notes.push_back(which + " has run out on " + one.until + ": " +
                      (n == 0 ? "nothing of it is found any more" : num(n) + " found, which count again"));
    else if (n == 0 && was_asked(audits, one.rule))
      notes.push_back(which + " suppresses nothing");
  }
  for (size_t i = 0; i < audits.size(); ++i)
    for (const auto& [at, by] : taken[i]) audits[i].accepted.push_back({at, by->reason, by->until});
  return notes;
}

}  // namespace immure::audit
