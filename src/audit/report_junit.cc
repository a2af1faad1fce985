#include <algorithm>

#include "audit/report.h"
#include "base/junit.h"
#include "base/text.h"

namespace immure::audit {
namespace {

using Case = junit::Case;

constexpr size_t kNamedPlaces = 20;

Case test_case(const Audit& audit, const Outcome& one, const std::string& suite, Severity fail_on) {
  Case out{one.rule->id, suite, Case::Outcome::Passed, "looked at, nothing found"};
  std::optional<Severity> worst;
  std::string places;
  size_t n = 0, accepted_ones = 0;
  for (size_t at : one.findings) {
    const Finding& finding = audit.answers.findings()[at];
    if (accepted(audit, at) != nullptr) {
      ++accepted_ones;
      continue;
    }
    worst = std::max(worst.value_or(finding.severity), finding.severity);
    if (++n <= kNamedPlaces) places += finding.where + ": " + finding.evidence + "; ";
  }
  if (n > kNamedPlaces) places += "and " + num(n - kNamedPlaces) + " more; ";
  if (worst && *worst >= fail_on) {
    out.outcome = Case::Outcome::Failed;
    out.type = key(*worst);
    out.message = std::string(one.rule->title) + " (" + num(n) + ")";
    out.text = places + one.rule->why;
  } else if (worst) {
    out.message = std::string(key(*worst)) + ": " + one.rule->title + ": " + places;
  } else if (one.state == Answers::State::Unknown) {
    out.outcome = Case::Outcome::Skipped;
    out.message = "could not look: " + one.why;
  } else if (one.state == Answers::State::Unasked) {
    out.outcome = Case::Outcome::Skipped;
    out.message = "does not apply here";
  } else if (accepted_ones > 0) {
    out.message = num(accepted_ones) + " accepted";
  }
  return out;
}

}  // namespace

std::string report_junit(const Audits& audits, Severity fail_on) {
  junit::Report report{"immure audit",
                       {{"caller", audits.caller}, {"kernel", audits.kernel}, {"version", IMMURE_VERSION}},
                       {},
                       audits.milliseconds};
  for (const Audit& audit : audits.all)
    for (int i = 0; i < kConcernCount; ++i) {
      const auto concern = static_cast<Concern>(i);
      junit::Suite suite{audit.target.name + ": " + key(concern), {}};
      for (const Outcome& one : outcomes(audit))
        if (one.rule->concern == concern)
          suite.cases.push_back(test_case(audit, one, "immure.audit." + std::string(key(concern)), fail_on));
      if (!suite.cases.empty()) report.suites.push_back(std::move(suite));
    }
  return junit::document(report);
}

}  // namespace immure::audit
