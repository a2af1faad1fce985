#include "audit/page.h"

#include <cctype>

#include "audit/remedies.h"
#include "audit/report.h"
#include "audit/score.h"
#include "base/markdown.h"
#include "base/text.h"

namespace immure::audit {
namespace {

constexpr char kHead[] =
    "# The rules of `immure audit`\n"
    "\n"
    "This page is made from the tables in `src/audit/rules/`. `immure audit --explain RULE` says the same of "
    "one.\n"
    "\n"
    "*Severity* is that of its findings, unless a finding says otherwise. *Points* names what it is evidence "
    "for in the score\n"
    "([below](#the-score)). *Predicts* names the attacks and categories of `immure prove` "
    "([probes.md](probes.md)) whose escapes a finding\n"
    "foretells. In a *fix* stand `{path}` for the file on the host, `{pid}` for the process, `{value}` for "
    "what the finding says, `{where}` for the place as the\n"
    "jail sees it. What stands behind *In* mends it in a configuration of that kind; of a unit it is what is "
    "written below `[Service]`,\nof an OCI bundle a JSON pointer and its value or a program of `jq` in which "
    "`$w` is the finding's place or value. A report has\nthe whole command where one does it.\n";

std::string capital(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

std::string section_of(const Rule& rule) {
  std::string out = "\n### " + std::string(rule.id) + "\n\n**" + markdown_text(rule.title) + "**\n\n" +
                    markdown_text(rule.why) + "\n\n";
  out += "- Severity: " + std::string(key(rule.severity)) + "\n- Concern: " + key(rule.concern) +
         "\n- Points: " + key(rule.point) + "\n";
  if (rule.fix[0] != '\0') out += "- Fix: " + markdown_code(lasting_fix(rule)) + "\n";
  for (const Remedy& one : remedies())
    if (std::string_view(one.rule) == rule.id)
      out += "- In " + std::string(way_title(one.way)) + ": " +
             (one.as_it_is ? markdown_code(shown(one)) : markdown_text(shown(one))) + "\n";
  if (rule.advice[0] != '\0') out += "- Do: " + markdown_text(rule.advice) + "\n";
  if (rule.mend != Mend::None) out += "- `--fix`: " + mend_text(rule.mend) + "\n";
  if (rule.predicts[0] != '\0') out += "- Predicts: " + markdown_text(rule.predicts) + "\n";
  return out + "- Reference: " + markdown_text(rule.reference) + "\n";
}

std::string score_section() {
  std::string out =
      "\n## The score\n\n"
      "Points are earned by evidence: each of the following the share of its rules that were looked at, of "
      "those that apply. A finding of\n"
      "severity medium or worse takes all of it, a low one half, advice nothing. What could not be looked at "
      "earns nothing. Of the second\n"
      "group half is for a battery of `immure prove` that was run against the same jail (`--prove`) and "
      "stopped everything; such a battery\n"
      "earns " +
      num_signed(kBatteryWeight) +
      " more, half of it when something is exposed. A critical finding allows no more than " +
      num_signed(kCriticalCap) + ", an escape no more than 0, and\nnothing gives 100.\n\n";
  out += "| up to | points | weight | rules |\n|---|---|---|---|\n";
  const std::vector<const Rule*> all = all_rules();
  for (int i = 0; i < kPointCount; ++i) {
    const auto point = static_cast<Point>(i);
    size_t n = 0;
    for (const Rule* rule : all) n += rule->point == point ? 1 : 0;
    out += "| " + num_signed(top(rung(point))) + " | " + key(point) + " | " + num_signed(weight(point)) +
           " | " + num(n) + " |\n";
  }
  return out + "| 99 | a battery | " + num_signed(kBatteryWeight) + " | |\n";
}

}  // namespace

std::string rules_page() {
  std::string out = kHead;
  out += "\n| looks at | rules |\n|---|---|\n";
  for (int i = 0; i < kLookCount; ++i) {
    const auto look = static_cast<Look>(i);
    const std::string heading = capital(look_text(look));
    out += "| [" + heading + "](#" + markdown_anchor(heading) + ") | " + num(rules(look).size()) + " |\n";
  }
  out += "| all | " + num(all_rules().size()) + " |\n" + score_section();
  for (int i = 0; i < kLookCount; ++i) {
    const auto look = static_cast<Look>(i);
    out += "\n## " + capital(look_text(look)) + "\n\n";
    for (const Rule* rule : rules(look))
      out += "- [" + std::string(rule->id) + "](#" + rule->id + "): " + markdown_text(rule->title) + " (" +
             key(rule->severity) + ")\n";
    for (const Rule* rule : rules(look)) out += section_of(*rule);
  }
  return out;
}

}  // namespace immure::audit
