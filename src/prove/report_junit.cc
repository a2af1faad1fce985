// JUnit: a suite a category, a case an attack.
#include "base/junit.h"
#include "prove/report.h"

namespace immure::prove {
namespace {

using Outcome = junit::Case::Outcome;

junit::Case test_case(const Judged& one) {
  const std::string outcome = outcome_text(one);
  junit::Case out{one.probe->id, "immure.prove." + std::string(probes::key(one.probe->category)),
                  Outcome::Passed, outcome};
  switch (one.verdict) {
    case Verdict::Blocked: break;
    case Verdict::Escaped:
    case Verdict::Exposed:
      out.outcome = Outcome::Failed;
      out.type = key(one.verdict);
      out.text = std::string(one.probe->technique) + ". " + one.probe->about;
      break;
    case Verdict::NotApplicable:
    case Verdict::Inconclusive:
      out.outcome = Outcome::Skipped;
      out.message = std::string(key(one.verdict)) + ": " + outcome;
      break;
  }
  return out;
}

}  // namespace

std::string report_junit(const Verdicts& verdicts, const Subject& subject) {
  junit::Report report{"immure prove",
                       {{"jail", subject.jail},
                        {"caller", subject.caller},
                        {"kernel", subject.kernel},
                        {"version", IMMURE_VERSION}},
                       {},
                       verdicts.milliseconds};
  for (int c = 0; c < probes::kCategoryCount; ++c) {
    const auto category = static_cast<probes::Category>(c);
    junit::Suite suite{name(category), {}};
    for (const Judged& one : verdicts.all)
      if (one.probe->category == category) suite.cases.push_back(test_case(one));
    if (!suite.cases.empty()) report.suites.push_back(std::move(suite));
  }
  return junit::document(report);
}

}  // namespace immure::prove
