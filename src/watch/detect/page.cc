#include "watch/detect/page.h"

#include "base/markdown.h"
#include "base/text.h"
#include "watch/detect/steps.h"

namespace immure::watch {
namespace {

void pad(std::string& line, size_t column) {
  line.append(line.size() < column ? column - line.size() : 1, ' ');
}

std::string kinds_of(const Detector& detector) {
  if (detector.kinds == ~0U) return "every kind";
  std::string out;
  for (int i = 0; i < kKindCount; ++i)
    if ((detector.kinds >> i & 1) != 0)
      out += (out.empty() ? "" : ", ") + std::string(key(static_cast<Kind>(i)));
  return out;
}

std::string wrapped(std::string_view text, size_t indent) {
  std::string out, line(indent, ' ');
  for (std::string_view word : split(text, ' ')) {
    if (line.size() + 1 + word.size() > 80 && line.size() > indent) {
      out += line + "\n";
      line.assign(indent, ' ');
    }
    if (line.size() > indent) line += ' ';
    line += word;
  }
  return out + line + "\n";
}

constexpr char kIntroduction[] =
    "# The detectors of `immure watch`\n\n"
    "This page is made from the tables in `src/watch/detect/`. `immure watch --explain DETECTOR` says the same of\n"
    "one.\n\n"
    "*Severity* is that of its alerts, unless an alert says otherwise. A *notice* is a remark: what many ordinary\n"
    "programs do too, worth knowing beside something else. *Names* are the attacks of `immure prove`\n"
    "([probes.md](probes.md)) that its alerts speak of; `*` stands for any end. An alert names the attack whose step\n"
    "was seen, which is one of several where they begin alike. What is told of a call is told once a process and\n"
    "outcome. Each detector remembers at most 4096 processes and 16384 alerts, and forgets the oldest first.\n\n";

}  // namespace

std::string detectors_page() {
  std::string out = kIntroduction;
  out += "| detector | severity | |\n|---|---|---|\n";
  for (const Detector* detector : detectors())
    out += std::string("| [") + detector->id + "](#" + markdown_anchor(detector->id) + ") | " +
           key(detector->severity) + " | " + markdown_text(detector->title) + " |\n";
  for (const Detector* detector : detectors()) {
    out += std::string("\n## ") + detector->id + "\n\n" + markdown_text(detector->title) + ". " +
           markdown_text(detector->why) + "\n\n";
    out += std::string("- Severity: ") + key(detector->severity) + "\n";
    out += "- Sees: " + kinds_of(*detector) + "\n";
    if (*detector->techniques != '\0') out += "- Names: " + markdown_code(detector->techniques) + "\n";
    out += "- Reference: " + markdown_text(detector->reference) + "\n";
    const auto steps = steps_of(*detector);
    if (steps.empty()) continue;
    out += "\n| what | attack | severity |\n|---|---|---|\n";
    for (const Step& step : steps)
      out += "| " + markdown_text(step.said) + " | " + step.technique + " | " + key(step.severity) + " |\n";
  }
  return out;
}

std::string detectors_list() {
  std::string out;
  for (const Detector* detector : detectors()) {
    std::string line = detector->id;
    pad(line, 26);
    line += key(detector->severity);
    pad(line, 36);
    out += line + detector->title + "\n";
  }
  return out;
}

std::string explain_detector(const Detector& detector) {
  std::string out =
      std::string(detector.id) + ": " + detector.title + "\n\n" + wrapped(detector.why, 2) + "\n";
  out += std::string("  severity   ") + key(detector.severity) + "\n";
  out += "  sees       " + kinds_of(detector) + "\n";
  out += std::string("  reference  ") + detector.reference + "\n";
  if (*detector.techniques != '\0') {
    out += "\n  attacks of immure prove that it names:\n";
    out += wrapped(detector.techniques, 4);
  }
  return out;
}

std::string detectors_json() {
  JsonWriter json;
  json.begin_object().text("schema", "immure.detectors/1").begin_array("detectors");
  for (const Detector* detector : detectors()) {
    json.begin_object().text("id", detector->id).text("severity", key(detector->severity));
    json.text("title", detector->title).text("why", detector->why).text("reference", detector->reference);
    json.text("techniques", detector->techniques).end_object();
  }
  json.end_array().end_object();
  return json.str() + "\n";
}

}  // namespace immure::watch
