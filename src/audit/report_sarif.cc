#include "audit/report.h"
#include "audit/score.h"
#include "base/digest.h"
#include "base/sarif.h"
#include "base/text.h"

namespace immure::audit {
namespace {

const char* level(Severity severity) {
  switch (severity) {
    case Severity::Critical:
    case Severity::High: return "error";
    case Severity::Medium: return "warning";
    case Severity::Low:
    case Severity::Advice: return "note";
  }
  return "none";
}

// What sites that host code sort by: a number up to 10 as CVSS has it.
const char* security_severity(Severity severity) {
  switch (severity) {
    case Severity::Critical: return "9.5";
    case Severity::High: return "8.0";
    case Severity::Medium: return "5.5";
    case Severity::Low: return "2.5";
    case Severity::Advice: return "0.5";
  }
  return "0.0";
}

sarif::Rule rule_row(const Rule& rule) {
  std::string help = std::string(rule.fix[0] == '\0' ? "" : "Fix: " + std::string(rule.fix) + ". ");
  if (rule.advice[0] != '\0') help += std::string(rule.advice) + " ";
  return {rule.id,
          rule.title,
          rule.why,
          help + "Reference: " + rule.reference,
          level(rule.severity),
          key(rule.concern),
          {"security", "sandbox", key(rule.concern)},
          {{"security-severity", security_severity(rule.severity)}, {"point", key(rule.point)}}};
}

sarif::Result result_row(const Audit& audit, size_t at, size_t rule_index) {
  const Finding& finding = audit.answers.findings()[at];
  const std::string same = audit.target.same.empty() ? audit.target.name : audit.target.same;
  sarif::Result out;
  out.rule = rule_index;
  out.level = level(finding.severity);
  out.message = std::string(finding.rule->title) + ": " + finding.where;
  if (!finding.evidence.empty()) out.message += ": " + finding.evidence;
  out.name = finding.where;
  out.full_name = audit.target.name + ": " + finding.where;
  out.file = finding.path;
  out.fingerprint_kind = "finding/v1";
  out.fingerprint = hex_text(
      sha256(std::string(finding.rule->id) + '\0' + audit.target.kind + '\0' + same + '\0' + finding.where));
  if (const Acceptance* by = accepted(audit, at); by != nullptr)
    out.suppressed = by->reason.empty() ? "accepted" : by->reason;
  out.properties = {{"severity", key(finding.severity)}, {"target", audit.target.name}};
  if (const std::string fix = fix_command(finding, audit.target); !fix.empty())
    out.properties.emplace_back("fix", fix);
  return out;
}

}  // namespace

std::string report_sarif(const Audits& audits) {
  sarif::Run run;
  run.tool = "immure audit";
  std::vector<const Rule*> rules;
  auto place_of = [&](const Rule* rule) {
    for (size_t i = 0; i < rules.size(); ++i)
      if (rules[i] == rule) return i;
    rules.push_back(rule);
    run.rules.push_back(rule_row(*rule));
    return rules.size() - 1;
  };
  run.notes = audits.notes;
  const std::vector<const Rule*> all = all_rules();
  for (const Audit& audit : audits.all) {
    for (const Rule* rule : audit.asked) place_of(rule);
    for (size_t at : by_severity(audit))
      run.results.push_back(result_row(audit, at, place_of(audit.answers.findings()[at].rule)));
    for (const Outcome& one : outcomes(audit))
      if (one.state == Answers::State::Unknown)
        run.notes.push_back(audit.target.name + ": " + one.rule->id + " could not look: " + one.why);
    if (has_score(audit))
      run.counts.emplace_back("score of " + printable(audit.target.name), score(audit, all).value);
  }
  run.properties = {{"caller", audits.caller}, {"kernel", audits.kernel}};
  return sarif::document(run);
}

}  // namespace immure::audit
