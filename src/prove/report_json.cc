#include "base/result.h"
#include "base/text.h"
#include "prove/report.h"

namespace immure::prove {
namespace {

void observation(JsonWriter& json, const char* key, const Observation& seen) {
  json.begin_object(key);
  json.text("ending", ended_by(seen));
  if (seen.error != 0 && seen.ending == Ending::Said) json.text("errno", errno_name(seen.error));
  if (!seen.where.empty()) json.text("call", seen.where);
  if (!seen.text.empty()) json.text("text", seen.text);
  json.end_object();
}

void attack(JsonWriter& json, const Judged& one) {
  json.begin_object();
  json.text("id", one.probe->id);
  json.text("category", probes::key(one.probe->category));
  json.text("technique", one.probe->technique);
  json.text("verdict", key(one.verdict));
  if (one.verdict == Verdict::Blocked) {
    json.text("by", one.by);
    if (one.layers != 0) json.text("layers", layers_text(one.layers));
  } else {
    json.text("why", one.why);
  }
  observation(json, "inside", one.inside);
  observation(json, "control", one.control);
  json.end_object();
}

void summary(JsonWriter& json, const Verdicts& verdicts, const Subject& subject) {
  json.text("schema", "immure.prove/1");
  json.text("jail", subject.jail);
  json.text("caller", subject.caller);
  json.text("kernel", subject.kernel);
  json.begin_object("counts");
  for (int i = 0; i < kVerdictCount; ++i)
    json.number(key(static_cast<Verdict>(i)), verdicts.of(static_cast<Verdict>(i)));
  json.end_object();
  json.number("milliseconds", verdicts.milliseconds);
}

}  // namespace

std::string report_json(const Verdicts& verdicts, const Subject& subject) {
  JsonWriter json;
  json.begin_object();
  summary(json, verdicts, subject);
  json.begin_array("attacks");
  for (const Judged& one : verdicts.all) attack(json, one);
  json.end_array();
  json.end_object();
  return json.str() + "\n";
}

std::string report_jsonl(const Verdicts& verdicts, const Subject& subject) {
  std::string out;
  for (const Judged& one : verdicts.all) {
    JsonWriter json;
    attack(json, one);
    out += json.str() + "\n";
  }
  JsonWriter json;
  json.begin_object();
  summary(json, verdicts, subject);
  json.end_object();
  return out + json.str() + "\n";
}

std::string list_json(const std::vector<const probes::Probe*>& chosen) {
  JsonWriter json;
  json.begin_object().text("schema", "immure.attacks/1").begin_array("attacks");
  for (const probes::Probe* probe : chosen) {
    json.begin_object();
    json.text("id", probe->id)
        .text("category", probes::key(probe->category))
        .text("technique", probe->technique);
    json.text("about", probe->about)
        .text("source", probe->reference)
        .text("stopped_by", layers_text(probe->stopped_by));
    json.end_object();
  }
  json.end_array().end_object();
  return json.str() + "\n";
}

}  // namespace immure::prove
