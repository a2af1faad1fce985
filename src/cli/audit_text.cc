#include "cli/audit_text.h"

#include <algorithm>
#include <map>
#include <set>

#include "audit/report.h"
#include "audit/score.h"
#include "base/text.h"
#include "cli/page.h"

namespace immure::cli {
namespace {

using audit::Alike;
using audit::Audit;
using audit::Concern;
using audit::Finding;
using audit::Rule;
using audit::Severity;

constexpr size_t kMarkWidth = 10;   // "critical" and a gap
constexpr size_t kNamedPlaces = 3;  // of findings that are alike

Mark mark_of(Severity severity) {
  switch (severity) {
    case Severity::Critical:
    case Severity::High: return Mark::Bad;
    case Severity::Medium:
    case Severity::Low: return Mark::Note;
    case Severity::Advice: return Mark::None;
  }
  return Mark::None;
}

std::string places_text(const Audit& audit, const Alike& group) {
  std::string out;
  for (size_t i = 0; i < std::min(group.findings.size(), kNamedPlaces); ++i)
    out += (i == 0 ? "" : ", ") + printable(audit.answers.findings()[group.findings[i]].where);
  const size_t more = group.findings.size() - std::min(group.findings.size(), kNamedPlaces);
  return more == 0 ? out : out + " and " + num(more) + " more";
}

void tell_fix(Page& page, const Audit& audit, const Finding& finding, size_t others) {
  const std::string fix = fix_command(finding, audit.target);
  if (!fix.empty())
    page.whole(others == 0 ? "fix" : "fix (of the first)", fix);
  else if (const std::string words = what_to_do(finding, audit.target); !words.empty())
    page.detail("do", words);
}

void tell_group(Page& page, const Audit& audit, const Alike& group, bool verbose) {
  const Rule& rule = *group.rule;
  const Finding& first = audit.answers.findings()[group.findings.front()];
  std::string title = rule.title;
  if (group.findings.size() > 1) title += " (" + num(group.findings.size()) + ")";
  page.marked(mark_of(group.severity), key(group.severity), title + "  [" + rule.id + "]");
  if (!verbose) {
    page.detail("", group.findings.size() == 1
                        ? first.where + (first.evidence.empty() ? "" : ": " + first.evidence)
                        : places_text(audit, group));
    tell_fix(page, audit, first, group.findings.size() - 1);
    return;
  }
  page.detail("", rule.why);
  bool command = false;
  for (size_t at : group.findings) {
    const Finding& finding = audit.answers.findings()[at];
    command = command || !fix_command(finding, audit.target).empty();
    page.detail("at", finding.where + (finding.evidence.empty() ? "" : ": " + finding.evidence));
    if (!finding.path.empty() && finding.path != finding.where) page.whole("on the host", finding.path);
    tell_fix(page, audit, finding, 0);
  }
  // Without a command the advice was told with the place.
  if (command && rule.advice[0] != '\0') page.detail("or", advice_for(rule, audit.target));
  page.detail("see", rule.reference);
}

void tell_accepted(Page& page, const Audit& audit, bool verbose) {
  if (audit.accepted.empty()) return;
  page.heading("Accepted: " + counted(audit.accepted.size(), "finding", "findings"));
  if (!verbose) {
    std::set<std::string> rules;
    for (const audit::Acceptance& one : audit.accepted)
      rules.insert(audit.answers.findings()[one.finding].rule->id);
    page.line(join(std::vector<std::string>(rules.begin(), rules.end()), ", "));
    return;
  }
  for (const audit::Acceptance& one : audit.accepted) {
    const Finding& finding = audit.answers.findings()[one.finding];
    page.marked(Mark::None, key(finding.severity), std::string(finding.rule->id) + " " + finding.where);
    page.detail("", one.reason + (one.until.empty() ? "" : " (until " + one.until + ")"));
  }
}

// What could not be looked at, once for each reason.
void tell_unknown(Page& page, const Audit& audit, bool verbose) {
  std::map<std::string, std::vector<std::string>> by_why;
  size_t n = 0;
  for (const audit::Outcome& one : outcomes(audit))
    if (one.state == audit::Answers::State::Unknown) by_why[one.why].emplace_back(one.rule->id), ++n;
  if (n == 0) return;
  page.heading("Not looked at: " + counted(n, "rule", "rules"));
  for (const auto& [why, rules] : by_why)
    page.line(verbose || rules.size() <= kNamedPlaces ? why + ": " + join(rules, ", ")
                                                      : why + ": " + counted(rules.size(), "rule", "rules"));
}

void tell_battery(Page& page, const audit::Battery& battery, bool verbose) {
  page.heading("Battery: " + counted(battery.attacks, "attack", "attacks") + ", " + num(battery.blocked) +
               " blocked, " + num(battery.escaped.size()) + " escaped, " + num(battery.exposed) + " exposed");
  page.line("against " + battery.against);
  size_t predicted = 0;
  for (const audit::Battery::Escape& one : battery.escaped) {
    if (!one.foretold_by.empty() && ++predicted > kNamedPlaces && !verbose) continue;
    page.marked(Mark::Bad, "ESCAPED", one.id + ": " + one.technique);
    page.detail("", one.foretold_by.empty() ? "no finding predicted it"
                                            : "as " + join(one.foretold_by, ", ") + " said");
  }
  for (size_t i = 0; i < battery.exposed_ids.size() && (verbose || i < kNamedPlaces); ++i)
    page.marked(Mark::Note, "EXPOSED", battery.exposed_ids[i]);
  if (battery.exposed_ids.size() > kNamedPlaces && !verbose)
    page.line("and " + num(battery.exposed_ids.size() - kNamedPlaces) +
              (battery.exposed_ids.size() == kNamedPlaces + 1 ? " more is" : " more are") + " exposed: -v");
  if (!battery.exposed_ids.empty()) page.line("What an attack is: immure prove --explain ID");
  if (predicted > kNamedPlaces && !verbose)
    page.line("and " + num(predicted - kNamedPlaces) + " more escaped, which findings predicted, too: -v");
}

void tell_score(Page& page, const Audit& audit, const audit::Score& score, bool verbose) {
  if (!has_score(audit)) {
    page.heading("Score: none");
    page.line("A score is a jail's: name one beside --host.");
    return;
  }
  page.heading("Score: " + num_signed(score.value) + " of 100" +
               (score.cap.empty() ? "" : ", for " + score.cap + " (else " + num_signed(score.sum) + ")"));
  int before = 0;
  for (int i = 0; i < audit::kRungCount; ++i) {
    const auto rung = static_cast<audit::Rung>(i);
    page.line(num_signed(score.of(rung)) + " of " + num_signed(top(rung) - before) + "  " + title(rung));
    before = top(rung);
    for (const audit::PointScore& one : score.points) {
      if (audit::rung(one.point) != rung || !verbose) continue;
      page.pair("  " + std::string(key(one.point)), num_signed(one.earned) + " of " + num_signed(one.weight) +
                                                        (one.why.empty() ? "" : "  " + one.why));
    }
  }
  page.line(num_signed(score.battery) + " of " + num_signed(audit::kBatteryWeight) +
            "  a battery of immure prove" + (score.battery_why.empty() ? "" : ": " + score.battery_why));
  std::string besides;
  for (const auto& [look, n] : audit::not_asked(audit, audit::all_rules()))
    besides += (besides.empty() ? "" : ", ") + std::string(audit::look_text(look)) + " (" + num(n) + ")";
  if (!besides.empty()) page.line("Not asked, and so not earned: rules about " + besides + ".");
}

void tell(Page& page, const Audit& audit, bool verbose) {
  const audit::Score score = audit::score(audit, audit::all_rules());
  size_t checked = 0;
  for (const audit::Outcome& one : outcomes(audit)) checked += one.state == audit::Answers::State::Checked;
  page.heading(audit.target.name + (has_score(audit) ? ": " + num_signed(score.value) + " of 100" : ""));
  page.line("Found: " + counts_text(audit) + ", by " + counted(checked, "rule", "rules") +
            " that could look.");
  for (const std::string& note : audit.target.notes) page.line("note: " + note);
  constexpr const char* kHeadings[] = {"Isolation", "Privilege", "Monitoring"};
  for (int i = 0; i < audit::kConcernCount; ++i) {
    const std::vector<Alike> found = alike(audit, static_cast<Concern>(i));
    if (found.empty()) continue;
    page.heading(kHeadings[i]);
    for (const Alike& group : found) tell_group(page, audit, group, verbose);
  }
  tell_accepted(page, audit, verbose);
  if (audit.battery) tell_battery(page, *audit.battery, verbose);
  if (!audit.no_battery.empty()) {
    page.heading("Battery: it did not run");
    page.line(audit.no_battery);
  }
  tell_unknown(page, audit, verbose);
  tell_score(page, audit, score, verbose);
}

// Many jails at once: a line each, then each rule with those in which it found something.
void tell_many(Page& page, const audit::Audits& audits) {
  page.heading(num(audits.all.size()) + " jails");
  for (const Audit& audit : audits.all) {
    const audit::Score score = audit::score(audit, audit::all_rules());
    const auto bad = audit::worst(audit);
    const bool unseen = audit.target.unseen;
    page.row(bad      ? mark_of(*bad)
             : unseen ? Mark::Note
                      : Mark::Good,
             num_signed(score.value), audit.target.name,
             unseen ? "could not be looked at" : counts_text(audit));
    if (unseen)
      for (const std::string& note : audit.target.notes) page.detail("", note);
  }
  struct Across {
    Severity severity;
    const Rule* rule;
    std::vector<std::string> jails;
    const Audit* first;
    size_t finding;
  };
  std::vector<Across> all;
  for (const Audit& audit : audits.all)
    for (size_t at = 0; at < audit.answers.findings().size(); ++at) {
      const Finding& finding = audit.answers.findings()[at];
      if (accepted(audit, at) != nullptr) continue;
      auto known = std::find_if(all.begin(), all.end(), [&](const Across& one) {
        return one.rule == finding.rule && one.severity == finding.severity;
      });
      if (known == all.end()) known = all.insert(all.end(), {finding.severity, finding.rule, {}, &audit, at});
      if (known->jails.empty() || known->jails.back() != audit.target.name)
        known->jails.push_back(audit.target.name);
    }
  std::stable_sort(all.begin(), all.end(),
                   [](const Across& a, const Across& b) { return a.severity > b.severity; });
  constexpr const char* kHeadings[] = {"Isolation", "Privilege", "Monitoring"};
  for (int i = 0; i < audit::kConcernCount; ++i) {
    bool headed = false;
    for (const Across& one : all) {
      if (one.rule->concern != static_cast<Concern>(i)) continue;
      if (!headed) page.heading(kHeadings[i]);
      headed = true;
      page.marked(mark_of(one.severity), key(one.severity),
                  std::string(one.rule->title) + "  [" + one.rule->id + "]");
      std::string names;
      for (size_t j = 0; j < std::min(one.jails.size(), kNamedPlaces); ++j)
        names += (j == 0 ? "" : ", ") + one.jails[j];
      if (one.jails.size() > kNamedPlaces) names += " and " + num(one.jails.size() - kNamedPlaces) + " more";
      page.detail("in", names);
    }
  }
  page.blank();
  page.line("Each with evidence and what mends it: immure audit --pid N, or all of them: -v.");
}

}  // namespace

std::string audit_text(const audit::Audits& audits, const AuditShown& shown) {
  Page page(shown.colour, 80, kMarkWidth);
  if (audits.all.size() > 1 && !shown.verbose)
    tell_many(page, audits);
  else
    for (const Audit& audit : audits.all) tell(page, audit, shown.verbose);
  if (audits.all.empty())
    page.line(audits.notes.empty() ? "No process here is in a jail."
                                   : "No process that could be looked at is in a jail.");
  if (!audits.notes.empty()) page.blank();
  for (const std::string& note : audits.notes) page.line("note: " + note);
  if (!shown.verbose && audits.all.size() == 1)
    page.line("Evidence and reasons: -v. What a rule is: immure audit --explain RULE");
  return page.str();
}

}  // namespace immure::cli
