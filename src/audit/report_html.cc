// One page to keep and to hand on. Everything is there without its script; that one only filters.
#include <algorithm>
#include <map>

#include "audit/remedies.h"
#include "audit/report.h"
#include "audit/report_html_parts.h"
#include "audit/score.h"
#include "base/html_page.h"
#include "base/markup.h"
#include "base/text.h"

namespace immure::audit {
namespace {

constexpr size_t kOpenPlaces = 3;    // of a rule's findings, before the rest is folded
constexpr size_t kMostPlaces = 500;  // that the page holds; JSON has all

constexpr std::string_view kStyle = R"(
.head { display: flex; flex-wrap: wrap; gap: 1rem 3rem; align-items: center; }
.dial { width: 15rem; flex: none; } .dial .ground { stroke: var(--line); } .dial text { fill: var(--text); }
.dial .arc, .dial .ground { fill: none; stroke-width: 14; } .dial .tick { stroke: var(--page); stroke-width: 2; }
.dial .mark { font-size: 9px; fill: var(--soft); text-anchor: middle; }
.dial .value { font-size: 44px; font-weight: 700; text-anchor: middle; }
.dial .of { font-size: 11px; fill: var(--soft); text-anchor: middle; }
.dial.low .arc { stroke: var(--bad); } .dial.middle .arc { stroke: var(--warn); } .dial.high .arc { stroke: var(--good); }
.points td:nth-child(4) { width: 55%; } .points .n { white-space: nowrap; } .points .rung td { font-weight: 600; background: var(--panel); }
.share { width: 6rem; height: .6rem; } .share .ground { fill: var(--line); } .share .fill { fill: var(--good); }
.filters { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; align-items: center;
  padding: .6rem .8rem; margin: 1rem 0; background: var(--panel); border: 1px solid var(--line); border-radius: .3rem; }
.filters fieldset { display: flex; flex-wrap: wrap; gap: .2rem .9rem; border: 0; margin: 0; padding: 0; }
.filters legend { float: left; padding: 0 .6rem 0 0; color: var(--soft); }
.filters label { white-space: nowrap; } .filters input[type=search] { min-width: 12rem; font: inherit; }
.filters output { color: var(--soft); margin-left: auto; }
.finding { border-left: .3rem solid var(--line); padding: .1rem 0 .1rem .8rem; margin: 1rem 0; break-inside: avoid-page; }
.finding h4 { margin: 0; font-size: 1rem; } .finding p { margin: .2rem 0; max-width: 60rem; }
.finding .places { font-size: .9rem; table-layout: fixed; } .places td { overflow-wrap: anywhere; } .finding .more { color: var(--soft); }
.sev { display: inline-block; min-width: 4.6rem; font-weight: 600; } .id { color: var(--soft); font-weight: 400; }
.critical, .high { border-left-color: var(--bad); } .sev.critical, .sev.high { color: var(--bad); }
.medium, .low { border-left-color: var(--warn); } .sev.medium, .sev.low { color: var(--warn); }
.sev.advice { color: var(--soft); } .sev.critical { text-decoration: underline; }
.tree, .tree ul { list-style: none; margin: 0; padding: 0 0 0 1.1rem; } .tree { padding: 0; font-size: .9rem; }
.tree ul { border-left: 1px solid var(--line); margin-left: .35rem; padding-left: .9rem; }
.tree li { position: relative; padding: .08rem 0; } .tree ul > li::before { content: ""; position: absolute;
  left: -.9rem; top: .85rem; width: .7rem; border-top: 1px solid var(--line); }
.tree .detail { color: var(--soft); margin-left: .6rem; overflow-wrap: anywhere; }
.tree .marked > code { font-weight: 700; color: var(--bad); }
@media print { .filters { display: none; } .finding { break-inside: avoid; } }
)";

constexpr std::string_view kScript = R"(
(() => {
  const bar = document.querySelector('.filters'), items = [...document.querySelectorAll('.finding')];
  const boxes = [...bar.querySelectorAll('input[type=checkbox]')], word = bar.querySelector('input[type=search]');
  const count = bar.querySelector('output');
  const chosen = name => new Set(boxes.filter(b => b.name === name && b.checked).map(b => b.value));
  const apply = () => {
    const severities = chosen('severity'), concerns = chosen('concern'), wanted = word.value.toLowerCase();
    let n = 0;
    for (const item of items) {
      const shown = severities.has(item.dataset.severity) && concerns.has(item.dataset.concern) &&
        (wanted === '' || item.textContent.toLowerCase().includes(wanted));
      item.hidden = !shown;
      if (shown) n++;
    }
    for (const group of document.querySelectorAll('.group'))
      group.hidden = !group.querySelector('.finding:not([hidden])');
    count.textContent = n + ' of ' + items.length + ' shown';
  };
  bar.hidden = false;
  bar.addEventListener('input', apply);
  apply();
  let opened = [];
  addEventListener('beforeprint', () => {
    opened = [...document.querySelectorAll('details:not([open])')];
    for (const one of opened) one.open = true;
  });
  addEventListener('afterprint', () => { for (const one of opened) one.open = false; });
})();
)";

constexpr const char* kConcernTitles[] = {"Isolation", "Privilege", "Monitoring"};
static_assert(std::size(kConcernTitles) == kConcernCount);

std::string box(const char* name, const char* value) {
  return "<label><input type=\"checkbox\" name=\"" + std::string(name) + "\" value=\"" + value +
         "\" checked> " + value + "</label>";
}

std::string filters() {
  std::string out = "<form class=\"filters\" hidden><fieldset><legend>severity</legend>";
  for (int i = kSeverityCount; i-- > 0;) out += box("severity", key(static_cast<Severity>(i)));
  out += "</fieldset><fieldset><legend>concern</legend>";
  for (int i = 0; i < kConcernCount; ++i) out += box("concern", key(static_cast<Concern>(i)));
  return out +
         "</fieldset><input type=\"search\" aria-label=\"words\" placeholder=\"words\"><output></output></form>\n";
}

std::string place_row(const Audit& audit, size_t at, bool mends) {
  const Finding& finding = audit.answers.findings()[at];
  const std::string fix = fix_command(finding, audit.target);
  return "<tr><td><code>" + markup_text(finding.where) + "</code></td><td>" + markup_text(finding.evidence) +
         "</td>" +
         (!mends        ? ""
          : fix.empty() ? "<td>" + markup_text(remedy_text(finding, audit.target)) + "</td>"
                        : "<td><code>" + markup_text(fix) + "</code></td>") +
         "</tr>\n";
}

std::string places_table(const Audit& audit, const std::vector<size_t>& places, size_t from, size_t to) {
  const bool mends =
      std::any_of(places.begin() + static_cast<ptrdiff_t>(from), places.begin() + static_cast<ptrdiff_t>(to),
                  [&](size_t at) {
                    const Finding& one = audit.answers.findings()[at];
                    return !fix_command(one, audit.target).empty() || !remedy_text(one, audit.target).empty();
                  });
  std::string out = "<div class=\"wide\"><table class=\"places\"><thead><tr><th>where</th><th>evidence</th>" +
                    std::string(mends ? "<th>fix</th>" : "") + "</tr></thead><tbody>\n";
  for (size_t i = from; i < to; ++i) out += place_row(audit, places[i], mends);
  return out + "</tbody></table></div>\n";
}

std::string finding_article(const Audit& audit, const Alike& alike) {
  const Rule& rule = *alike.rule;
  const size_t n = alike.findings.size(), open = std::min(n, kOpenPlaces), held = std::min(n, kMostPlaces);
  std::string out = "<article class=\"finding " + std::string(key(alike.severity)) + "\" data-severity=\"" +
                    key(alike.severity) + "\" data-concern=\"" + key(rule.concern) +
                    "\"><h4><span class=\"sev " + key(alike.severity) + "\">" + key(alike.severity) +
                    "</span> " + markup_text(rule.title) + (n > 1 ? " (" + num(n) + ")" : "") +
                    " <code class=\"id\">" + rule.id + "</code></h4>\n";
  out += "<p>" + markup_text(rule.why) + "</p>\n" + places_table(audit, alike.findings, 0, open);
  if (held > open)
    out += "<details><summary>" + num(held - open) + " more</summary>" +
           places_table(audit, alike.findings, open, held) + "</details>\n";
  if (n > held)
    out += "<p class=\"more\">and " + num(n - held) + " more, which <code>--json</code> has</p>\n";
  if (rule.advice[0] != '\0')
    out += "<p><span class=\"more\">do:</span> " + markup_text(advice_for(rule, audit.target)) + "</p>\n";
  return out + "<p class=\"more\">" + markup_text(rule.reference) + "</p></article>\n";
}

std::string findings_section(const Audit& audit) {
  std::string out;
  for (int i = 0; i < kConcernCount; ++i) {
    const std::vector<Alike> found = alike(audit, static_cast<Concern>(i));
    if (found.empty()) continue;
    out += "<div class=\"group\"><h3>" + std::string(kConcernTitles[i]) + "</h3>\n";
    for (const Alike& one : found) out += finding_article(audit, one);
    out += "</div>\n";
  }
  return out.empty() ? "<p>Nothing was found.</p>\n" : out;
}

std::string accepted_section(const Audit& audit) {
  if (audit.accepted.empty()) return {};
  std::string out =
      "<h3>Accepted</h3><div class=\"wide\"><table><thead><tr><th>rule</th><th>where</th><th>reason</th><th>until"
      "</th></tr></thead><tbody>\n";
  for (const Acceptance& one : audit.accepted) {
    const Finding& finding = audit.answers.findings()[one.finding];
    out += "<tr><td>" + std::string(key(finding.severity)) + " <code>" + finding.rule->id +
           "</code></td><td><code>" + markup_text(finding.where) + "</code></td><td>" +
           markup_text(one.reason) + "</td><td>" + markup_text(one.until) + "</td></tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string unknown_section(const Audit& audit) {
  std::string rows;
  for (const Outcome& one : outcomes(audit))
    if (one.state == Answers::State::Unknown)
      rows += "<tr><td><code>" + std::string(one.rule->id) + "</code></td><td>" + markup_text(one.why) +
              "</td></tr>\n";
  if (rows.empty()) return rows;
  return "<h3>Not looked at</h3><table><thead><tr><th>rule</th><th>why</th></tr></thead><tbody>\n" + rows +
         "</tbody></table>\n";
}

std::string battery_section(const Audit& audit) {
  if (!audit.no_battery.empty())
    return "<h3>Battery</h3><p>It did not run. " + markup_text(audit.no_battery) + "</p>\n";
  if (!audit.battery) return {};
  const Battery& battery = *audit.battery;
  std::string out = "<h3>Battery</h3><p>" + counted(battery.attacks, "attack", "attacks") + " against " +
                    markup_text(battery.against) + ": " + num(battery.blocked) + " blocked, " +
                    num(battery.escaped.size()) + " escaped, " + num(battery.exposed) + " exposed, " +
                    num(battery.unsure) + " unsure.</p>\n";
  if (battery.escaped.empty()) return out;
  out += "<table><thead><tr><th>escaped</th><th>predicted by</th></tr></thead><tbody>\n";
  for (const Battery::Escape& one : battery.escaped)
    out += "<tr><td><code>" + markup_text(one.id) + "</code> " + markup_text(one.technique) + "</td><td>" +
           (one.foretold_by.empty() ? "no finding" : markup_text(join(one.foretold_by, ", "))) +
           "</td></tr>\n";
  return out + "</tbody></table>\n";
}

std::string audit_section(const Audit& audit) {
  const bool scored = has_score(audit);
  const Score value = score(audit, all_rules());
  std::string out = "<section class=\"audit\"><h2>" + markup_text(audit.target.name) +
                    "</h2>\n<div class=\"head\">" + (scored ? dial(value) : "") + "<div><dl>" +
                    html_term("what", audit.target.kind) + html_term("found", counts_text(audit)) + "</dl>";
  for (const std::string& note : audit.target.notes) out += "<p>" + markup_text(note) + "</p>";
  out += "</div></div>\n" + findings_section(audit) + accepted_section(audit) + battery_section(audit) +
         unknown_section(audit);
  for (const Picture& picture : audit.pictures) out += tree_section(picture, audit);
  return out + (scored ? points_section(value) : "") + "</section>\n";
}

}  // namespace

std::string report_html(const Audits& audits) {
  std::string body = "<h1>What is wrong with the jail</h1>\n<dl>" + html_term("date", audits.date) +
                     html_term("host", audits.host) + html_term("command", audits.command) +
                     html_term("caller", audits.caller) + html_term("kernel", audits.kernel) +
                     html_term("immure", IMMURE_VERSION) +
                     html_term("it took", num_signed(audits.milliseconds) + " ms") + "</dl>\n";
  for (const std::string& note : audits.notes) body += "<p>" + markup_text(note) + "</p>\n";
  body += filters();
  for (const Audit& audit : audits.all) body += audit_section(audit);
  const std::string name =
      audits.all.size() == 1 ? audits.all.front().target.name : num(audits.all.size()) + " jails";
  return html_document(
      {.title = "immure audit: " + name, .style = kStyle, .body = std::move(body), .script = kScript});
}

}  // namespace immure::audit
