// What a trial came to, as text and as JSON. The numbers of a verdict and the words are the same in all of
// them.
#pragma once

#include <string>

#include "prove/trial.h"

namespace immure::prove {

// What was tried, for the head of a report.
struct Subject {
  std::string jail;    // "the default jail", "immure run --bind .", a command of somebody else's
  std::string caller;  // "root", "tester (uid 1001)"
  std::string kernel;  // "6.18.5"
};

// The table: an attack a line, then a line a category, then what it comes to. `colour`: for a terminal.
std::string report_text(const Verdicts& verdicts, const Subject& subject, bool colour);
// One document, schema immure.prove/1.
std::string report_json(const Verdicts& verdicts, const Subject& subject);
// The same a line each: an attack, then the summary.
std::string report_jsonl(const Verdicts& verdicts, const Subject& subject);

// --list and --explain.
std::string list_text(const std::vector<const probes::Probe*>& chosen);
std::string list_json(const std::vector<const probes::Probe*>& chosen);
std::string explain_text(const probes::Probe& probe);

// "pid namespace, seccomp".
std::string layers_text(uint32_t mask);

}  // namespace immure::prove
