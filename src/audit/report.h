// What an audit came to, in every form but the one for people (cli/audit_text.h). Whatever a jail had a word
// in passes printable().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/audit.h"

namespace immure::audit {

// One document, schema immure.audit/1 (schema/audit.schema.json).
std::string report_json(const Audits& audits);
// SARIF 2.1.0: a rule that was asked is a rule; critical and high findings are errors, medium ones warnings,
// the rest notes. What was accepted is a suppressed result.
std::string report_sarif(const Audits& audits);
// JUnit: a suite a concern, a case a rule that was asked. What was found is a failure, what could not be
// looked at is skipped; only what is at least `fail_on` fails.
std::string report_junit(const Audits& audits, Severity fail_on);
// One page that needs nothing from elsewhere and works without its script.
std::string report_html(const Audits& audits);

// --list and --explain.
std::string list_text(const std::vector<const Rule*>& rules);
std::string list_json(const std::vector<const Rule*>& rules);  // schema immure.rules/1
std::string explain_text(const Rule& rule);

// ---- words that all of them share

// The rule's fix for this place, as a shell takes it; empty: there is only advice here. Names of a jail are
// quoted so that they are one word, whatever is in them; where the command has them between quotes of its own
// and they are no mere names, there is no command.
std::string fix_command(const Finding& finding, const Target& target);
// The rule's fix before names are put in; what sets a setting of the kernel also writes it where it is read
// at each boot.
std::string lasting_fix(const Rule& rule);
// What a person does about it: the words for what the jail is described by (remedies.h), else the advice.
std::string what_to_do(const Finding& finding, const Target& target);
// The rule's advice for this kind of target: of "unit: …; OCI: …" the parts for the others are left out. The
// whole, where none is for this one.
std::string advice_for(const Rule& rule, const Target& target);
// A word of a POSIX shell, or where it holds what a terminal must not be shown, of bash ($'…'); a
// shell that does not know that takes it for another word, and for no more than a word.
std::string shell_word(std::string_view text);
// null: nobody has accepted it.
const Acceptance* accepted(const Audit& audit, size_t finding);
// The worst of what nobody has accepted.
std::optional<Severity> worst(const Audit& audit);
std::optional<Severity> worst(const Audits& audits);
// Each rule's last word; why is empty unless it could not look.
struct Outcome {
  const Rule* rule = nullptr;
  Answers::State state = Answers::State::Unasked;  // asked, and it does not apply
  std::string why;
  std::vector<size_t> findings;
};
std::vector<Outcome> outcomes(const Audit& audit);  // in the order of `asked`
// Findings of one rule and severity, which are told together: without accepted ones, the worst first; of
// equals what was asked first.
struct Alike {
  Severity severity = Severity::Advice;
  const Rule* rule = nullptr;
  std::vector<size_t> findings;
};
std::vector<Alike> alike(const Audit& audit, Concern concern);
// "2 critical, 1 high", without accepted ones; "nothing".
std::string counts_text(const Audit& audit);
const char* look_text(Look look);  // "a root directory"
std::string mend_text(Mend mend);  // what --fix does: "takes the bits away"; empty: nothing
// "chroot(2)", "CVE-2019-5736".
std::vector<std::string> references(const Rule& rule);
// The places of the findings of an audit, the worst first; of equals, the order of the rules.
std::vector<size_t> by_severity(const Audit& audit);

}  // namespace immure::audit
