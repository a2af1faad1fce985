// What a trial came to, in every form that is asked for. The numbers of a verdict and the words are the same
// in all of them.
#pragma once

#include <string>
#include <string_view>

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
// SARIF 2.1.0: a rule an attack; results for what escaped (error), is exposed (warning) and showed nothing
// (note).
std::string report_sarif(const Verdicts& verdicts, const Subject& subject);
// JUnit: what escaped or is exposed is a failure, what could not be tried or showed nothing is skipped.
std::string report_junit(const Verdicts& verdicts, const Subject& subject);
// One page without scripts or anything that is elsewhere. `ablation`: markup of a section of its own, put in
// as it is (ablation.h's); empty: there is none.
std::string report_html(const Verdicts& verdicts, const Subject& subject, std::string_view ablation = {});

// --list and --explain.
std::string list_text(const std::vector<const probes::Probe*>& chosen);
std::string list_json(const std::vector<const probes::Probe*>& chosen);
std::string explain_text(const probes::Probe& probe);

// Words that all of them share. "ESCAPED", "n/a".
const char* shown(Verdict verdict);
// What ended it, "EPERM at chroot  [seccomp]"; else why. May hold a jail's own words.
std::string outcome_text(const Judged& judged);
// Why it shows (nearly) nothing of the jail, though nothing escaped: nothing was blocked, or less than what
// showed nothing. Empty: it shows something.
std::string emptiness(const Verdicts& verdicts);
// "Nothing escaped, 2 exposed: of 14 attacks …", and what emptiness() says.
std::string conclusion(const Verdicts& verdicts);
// "root in a plain chroot".
std::string control_text(const probes::Probe& probe);
// "pid namespace, seccomp".
std::string layers_text(uint32_t mask);

}  // namespace immure::prove
