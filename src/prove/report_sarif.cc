// SARIF: an attack is a rule; what was not stopped is a result.
#include "base/sarif.h"
#include "prove/report.h"

namespace immure::prove {
namespace {

const char* level(Verdict verdict) {
  switch (verdict) {
    case Verdict::Escaped: return "error";
    case Verdict::Exposed: return "warning";
    case Verdict::Inconclusive: return "note";
    case Verdict::Blocked:
    case Verdict::NotApplicable: break;
  }
  return nullptr;
}

sarif::Rule rule(const probes::Probe& probe) {
  // What cannot be proven to escape is at most exposed.
  const Verdict worst = probe.proof == probes::Proof::None ? Verdict::Exposed : Verdict::Escaped;
  return {probe.id,
          probe.technique,
          probe.about,
          "Source: " + std::string(probe.reference) + ". Stopped by: " + layers_text(probe.stopped_by) +
              ". Its control: " + control_text(probe) + ".",
          level(worst),
          probes::key(probe.category),
          {"sandbox", probes::key(probe.category)}};
}

sarif::Result result(const Judged& one, size_t rule_index) {
  sarif::Result out;
  out.rule = rule_index;
  out.level = level(one.verdict);
  out.message = std::string(shown(one.verdict)) + ": " + one.probe->technique + ": " + outcome_text(one);
  // There is no file to point at: the jail is the place.
  out.name = one.probe->id;
  out.full_name = std::string(probes::key(one.probe->category)) + "/" + one.probe->id;
  out.fingerprint_kind = "attack/v1";
  out.fingerprint = one.probe->id;
  out.properties = {{"verdict", key(one.verdict)}};
  return out;
}

}  // namespace

std::string report_sarif(const Verdicts& verdicts, const Subject& subject) {
  sarif::Run run;
  run.tool = "immure prove";
  for (const Judged& one : verdicts.all) run.rules.push_back(rule(*one.probe));
  for (size_t i = 0; i < verdicts.all.size(); ++i)
    if (level(verdicts.all[i].verdict) != nullptr) run.results.push_back(result(verdicts.all[i], i));
  run.properties = {{"jail", subject.jail}, {"caller", subject.caller}, {"kernel", subject.kernel}};
  for (int i = 0; i < kVerdictCount; ++i)
    run.counts.emplace_back(key(static_cast<Verdict>(i)), verdicts.of(static_cast<Verdict>(i)));
  return sarif::document(run);
}

}  // namespace immure::prove
