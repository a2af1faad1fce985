// SARIF 2.1.0 (OASIS): what scanners of code report in, and what the sites that host code read. An attack is
// a rule; what was not stopped is a result.
#include "base/result.h"
#include "base/text.h"
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

// A reader makes a link of "[words](target)" in a message: no jail's word becomes one.
std::string plain(std::string_view text) {
  std::string out;
  for (char c : printable(text)) {
    if (c == '(' && out.ends_with(']')) out += ' ';
    out += c;
  }
  return out;
}

void message(JsonWriter& json, std::string_view key, std::string_view text) {
  json.begin_object(key).text("text", plain(text)).end_object();
}

void rule(JsonWriter& json, const probes::Probe& probe) {
  json.begin_object().text("id", probe.id);
  message(json, "shortDescription", probe.technique);
  message(json, "fullDescription", probe.about);
  message(json, "help",
          "Source: " + std::string(probe.reference) + ". Stopped by: " + layers_text(probe.stopped_by) +
              ". Its control: " + control_text(probe) + ".");
  // What cannot be proven to escape is at most exposed.
  const Verdict worst = probe.proof == probes::Proof::None ? Verdict::Exposed : Verdict::Escaped;
  json.begin_object("defaultConfiguration").text("level", level(worst)).end_object();
  json.begin_object("properties").text("category", probes::key(probe.category));
  json.begin_array("tags").text({}, "sandbox").text({}, probes::key(probe.category)).end_array();
  json.end_object().end_object();
}

void result(JsonWriter& json, const Judged& one, size_t rule_index) {
  json.begin_object().text("ruleId", one.probe->id).number("ruleIndex", static_cast<int64_t>(rule_index));
  json.text("level", level(one.verdict));
  message(json, "message",
          std::string(shown(one.verdict)) + ": " + one.probe->technique + ": " + outcome_text(one));
  // There is no file to point at: the jail is the place.
  json.begin_array("locations").begin_object().begin_array("logicalLocations").begin_object();
  json.text("name", one.probe->id)
      .text("fullyQualifiedName", std::string(probes::key(one.probe->category)) + "/" + one.probe->id)
      .text("kind", "object");
  json.end_object().end_array().end_object().end_array();
  json.begin_object("partialFingerprints").text("attack/v1", one.probe->id).end_object();
  json.begin_object("properties").text("verdict", key(one.verdict)).end_object();
  json.end_object();
}

}  // namespace

std::string report_sarif(const Verdicts& verdicts, const Subject& subject) {
  JsonWriter json;
  json.begin_object();
  json.text("$schema",
            "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json");
  json.text("version", "2.1.0").begin_array("runs").begin_object();
  json.begin_object("tool").begin_object("driver");
  json.text("name", "immure prove").text("version", IMMURE_VERSION).text("semanticVersion", IMMURE_VERSION);
  json.begin_array("rules");
  for (const Judged& one : verdicts.all) rule(json, *one.probe);
  json.end_array().end_object().end_object();
  json.begin_array("invocations")
      .begin_object()
      .boolean("executionSuccessful", true)
      .end_object()
      .end_array();
  json.begin_array("results");
  for (size_t i = 0; i < verdicts.all.size(); ++i)
    if (level(verdicts.all[i].verdict) != nullptr) result(json, verdicts.all[i], i);
  json.end_array();
  json.begin_object("properties");
  json.text("jail", plain(subject.jail))
      .text("caller", plain(subject.caller))
      .text("kernel", plain(subject.kernel));
  json.begin_object("counts");
  for (int i = 0; i < kVerdictCount; ++i)
    json.number(key(static_cast<Verdict>(i)), verdicts.of(static_cast<Verdict>(i)));
  json.end_object().end_object().end_object().end_array().end_object();
  return json.str() + "\n";
}

}  // namespace immure::prove
