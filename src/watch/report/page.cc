// One page: everything is there without its script, which filters only. Drawn as SVG here, so that nothing is
// fetched.
#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_map>

#include "base/html_page.h"
#include "base/markup.h"
#include "base/text.h"
#include "watch/report/drawing.h"
#include "watch/report/summary.h"

namespace immure::watch {
namespace {

constexpr size_t kMostRows = 1000, kMostProcesses = 500;

constexpr std::string_view kStyle = R"(
.tiles { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0; }
.tile { background: var(--panel); border: 1px solid var(--line); border-radius: .3rem; padding: .4rem .9rem; }
.tile b { display: block; font-size: 1.4rem; font-variant-numeric: tabular-nums; } .tile span { color: var(--soft); font-size: .875rem; }
.bad { color: var(--bad); } .warn { color: var(--warn); } .good { color: var(--good); }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font: 10px system-ui, sans-serif; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .875rem; } .legend i { display: inline-block; width: .8rem; height: .8rem; margin-right: .3rem; }
.k0 { fill: #4c78a8; background: #4c78a8; } .k1 { fill: #9ecae9; background: #9ecae9; } .k2 { fill: #f58518; background: #f58518; }
.k3 { fill: #e45756; background: #e45756; } .k4 { fill: #b279a2; background: #b279a2; } .k5 { fill: #72b7b2; background: #72b7b2; }
.k6 { fill: #d6336c; background: #d6336c; } .k7 { fill: #eeca3b; background: #eeca3b; } .k8 { fill: #9d755d; background: #9d755d; }
.k9 { fill: #54a24b; background: #54a24b; } .k10 { fill: #439894; background: #439894; } .k11 { fill: #83bcb6; background: #83bcb6; }
.k12 { fill: #bab0ac; background: #bab0ac; } .k13 { fill: #d67195; background: #d67195; } .k14 { fill: #79706e; background: #79706e; }
.k15 { fill: var(--dim); background: var(--dim); }
.axis { stroke: var(--line); } .mark { stroke: var(--bad); stroke-width: 1.5; } .heat rect { fill: var(--warn); }
.life { fill: var(--dim); } .life.hit { fill: var(--bad); }
.filters { margin: .5rem 0; } .filters input { font: inherit; min-width: 16rem; }
.sev { font-weight: 600; } .sev.critical, .sev.high { color: var(--bad); } .sev.medium { color: var(--warn); } .sev.low, .sev.notice { color: var(--soft); }
)";

constexpr std::string_view kScript = R"(
(() => {
  for (const form of document.querySelectorAll('.filters')) {
    const rows = [...form.nextElementSibling.querySelectorAll('tbody tr')], input = form.querySelector('input');
    const count = form.querySelector('output');
    const apply = () => {
      const wanted = input.value.toLowerCase();
      let n = 0;
      for (const row of rows) {
        row.hidden = wanted !== '' && !row.textContent.toLowerCase().includes(wanted);
        if (!row.hidden) n++;
      }
      count.textContent = n + ' of ' + rows.length + ' shown';
    };
    form.hidden = false;
    form.addEventListener('submit', event => event.preventDefault());
    input.addEventListener('input', apply);
    apply();
  }
})();
)";

std::string cell(std::string_view text, const char* kind = "") {
  return "<td" + std::string(kind) + ">" + markup_text(text) + "</td>";
}
std::string number_cell(uint64_t value) {
  return value == 0 ? "<td class=\"n zero\">0</td>" : "<td class=\"n\">" + num(value) + "</td>";
}
std::string tally_cells(const Tally& tally) {
  return number_cell(tally.all()) + number_cell(tally.failed) + number_cell(tally.denied);
}

// A table that can be filtered by words. `head`: cells; `rows`: whole.
std::string table(const char* head, const std::vector<std::string>& rows, size_t all) {
  if (rows.empty()) return "<p>None.</p>\n";
  std::string out =
      "<form class=\"filters\" hidden><input type=\"search\" aria-label=\"words\" placeholder=\"words\"> "
      "<output></output></form>\n<div class=\"wide\"><table><thead><tr>" +
      std::string(head) + "</tr></thead><tbody>\n";
  for (const std::string& row : rows) out += "<tr>" + row + "</tr>\n";
  out += "</tbody></table></div>\n";
  return all > rows.size()
             ? out + "<p>and " + num(all - rows.size()) + " more, which <code>--json</code> has</p>\n"
             : out;
}

std::string tile(const std::string& value, const char* what, const char* kind = "") {
  return "<div class=\"tile\"><b class=\"" + std::string(kind) + "\">" + markup_text(value) + "</b><span>" +
         what + "</span></div>";
}

std::string tiles(const Summary& summary) {
  std::string out = "<div class=\"tiles\">";
  out += tile(num(summary.events), "events");
  out += tile(num(summary.alerts.size()), "alerts", summary.alerts.empty() ? "good" : "bad");
  out += tile(num(summary.processes.size()), "processes");
  out += tile(num(summary.files.size()), "files");
  out += tile(num(summary.hosts.size()), "addresses");
  out += tile(num(summary.lost), "records lost", summary.lost == 0 ? "good" : "bad");
  return out + tile(format_duration(summary.last - summary.first), "long") + "</div>\n";
}

std::string alerts_section(const Summary& summary) {
  std::vector<std::string> rows;
  for (const TracedAlert& alert : summary.alerts) {
    if (rows.size() >= kMostRows) break;
    std::string events;
    for (uint64_t event : alert.events) events += (events.empty() ? "" : ", ") + num(event);
    rows.push_back("<td><span class=\"sev " + std::string(key(alert.severity)) + "\">" + key(alert.severity) +
                   "</span></td>" + cell(wall_text(summary.head, alert.time)) +
                   number_cell(static_cast<uint64_t>(alert.pid)) + "<td><code>" +
                   markup_text(alert.detector) + "</code></td>" + cell(alert.why) +
                   cell(alert.stopped ? "stopped" : "") + cell(alert.technique) + cell(events));
  }
  return "<h2>Alerts</h2>\n" +
         table(
             "<th>severity</th><th>time</th><th class=\"n\">process</th><th>detector</th><th>why</th><th></th>"
             "<th>technique</th><th>events</th>",
             rows, summary.alerts.size());
}

std::string files_section(const Summary& summary) {
  std::vector<std::string> rows;
  for (const FileUse& use : summary.files) {
    if (rows.size() >= kMostRows) break;
    rows.push_back("<td><code>" + markup_text(use.path) + "</code></td>" + tally_cells(use.opened) +
                   tally_cells(use.changed) + number_cell(static_cast<uint64_t>(use.first)));
  }
  return "<h2>Files</h2>\n" +
         table(
             "<th>path</th><th class=\"n\">read</th><th class=\"n\">failed</th><th class=\"n\">denied</th>"
             "<th class=\"n\">changed</th><th class=\"n\">failed</th><th class=\"n\">denied</th><th class=\"n\">first by</th>",
             rows, summary.files.size());
}

std::string hosts_section(const Summary& summary) {
  std::vector<std::string> rows;
  for (const HostUse& use : summary.hosts) {
    if (rows.size() >= kMostRows) break;
    rows.push_back("<td><code>" + markup_text(use.address) + "</code></td>" + tally_cells(use.tally) +
                   number_cell(static_cast<uint64_t>(use.first)));
  }
  return "<h2>Addresses</h2>\n" + table(
                                      "<th>address</th><th class=\"n\">calls</th><th class=\"n\">failed</th>"
                                      "<th class=\"n\">denied</th><th class=\"n\">first by</th>",
                                      rows, summary.hosts.size());
}

std::string head_list(const Summary& summary) {
  std::string command = summary.head.command;
  std::replace(command.begin(), command.end(), '\0', ' ');
  std::string out = "<dl>" + html_term("watched", summary.head.target);
  if (!command.empty()) out += html_term("command", command);
  out += html_term("began", wall_text(summary.head, summary.first)) +
         html_term("source", summary.head.source) + html_term("level", summary.head.level) +
         html_term("host", summary.head.host + ", Linux " + summary.head.kernel);
  out += html_term("trace", text_of(summary.end)) + html_term("digest", summary.digest);
  return out + html_term("immure", IMMURE_VERSION) + "</dl>\n";
}

}  // namespace

std::string report_html(const Summary& summary) {
  std::string body = "<h1>What it did</h1>\n" + head_list(summary);
  if (summary.end == TraceEnd::Broken)
    body += "<p class=\"conclusion bad\">This trace was changed at byte " + num(summary.broken_at) +
            ". What stands behind that place was not read.</p>\n";
  body += tiles(summary) + alerts_section(summary);
  body += "<h2>Over time</h2>\n" + timeline(summary) + "<h2>Calls over time</h2>\n" + heat_map(summary);
  body += "<h2>Processes</h2>\n" + process_tree(summary, kMostProcesses);
  body += files_section(summary) + hosts_section(summary);
  return html_document({.title = "immure report: " + summary.head.target,
                        .style = kStyle,
                        .body = std::move(body),
                        .script = kScript});
}

}  // namespace immure::watch
