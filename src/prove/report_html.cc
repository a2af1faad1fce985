// One page to keep and to hand on: no script, nothing that is fetched, light or dark as the reader has it.
#include <cstdio>

#include "base/html_page.h"
#include "base/markup.h"
#include "base/text.h"
#include "prove/report.h"

namespace immure::prove {
namespace {

using probes::Category;

// The order in which a reader wants them.
constexpr Verdict kOrder[] = {Verdict::Escaped, Verdict::Exposed, Verdict::Blocked, Verdict::NotApplicable,
                              Verdict::Inconclusive};
static_assert(std::size(kOrder) == kVerdictCount);

// "carries", "holds" and "open" are the classes of the ablation's picture.
constexpr std::string_view kStyle = R"(
:root { --blocked: var(--good); --escaped: var(--bad); --exposed: var(--warn); --not-applicable: var(--dim);
  --inconclusive: var(--odd); }
.bar { display: block; width: 100%; height: 1.5rem; border-radius: .3rem; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.5rem; padding: 0; margin: .5rem 0 1rem; list-style: none; }
.attacks { table-layout: fixed; } .attacks th:nth-child(1) { width: 6.5rem; } .attacks th:nth-child(3) { width: 34%; }
tr:target { background: var(--panel); outline: 2px solid var(--line); }
.v { font-weight: 600; white-space: nowrap; }
.blocked { color: var(--blocked); fill: var(--blocked); } .escaped { color: var(--escaped); fill: var(--escaped); }
.exposed { color: var(--exposed); fill: var(--exposed); }
.not-applicable { color: var(--not-applicable); fill: var(--not-applicable); }
.inconclusive { color: var(--inconclusive); fill: var(--inconclusive); }
.holds { fill: var(--blocked); } .carries { fill: var(--exposed); } .open { fill: var(--line); }
details > div { margin: .4rem 0 .6rem; padding: .6rem .8rem; background: var(--panel); border-radius: .3rem; }
details p { margin: 0 0 .5rem; } details dl { margin: 0; font-size: .9rem; } pre { overflow-x: auto; }
@media (max-width: 40rem) { .attacks, .attacks tbody, .attacks tr, .attacks td { display: block; width: 100%; }
  .attacks thead { display: none; } .attacks td { border: 0; padding: .1rem 0; }
  .attacks tr { border-bottom: 1px solid var(--line); padding: .5rem 0; } }
)";

std::string verdict_word(Verdict verdict) {
  return "<span class=\"v " + std::string(key(verdict)) + "\">" + shown(verdict) + "</span>";
}

// A part of the bar a verdict, as wide as its share.
std::string bar(const Verdicts& verdicts) {
  std::string label, parts, legend;
  double x = 0;
  for (Verdict verdict : kOrder) {
    const int n = verdicts.of(verdict);
    const std::string words = num_signed(n) + " " + shown(verdict);
    label += (label.empty() ? "" : ", ") + words;
    legend += "<li>" + verdict_word(verdict) + " " + num_signed(n) + "</li>";
    if (n == 0) continue;
    const double width = 1000.0 * n / static_cast<double>(verdicts.all.size());
    char place[80];
    std::snprintf(place, sizeof place, "x=\"%.2f\" width=\"%.2f\"", x, width);
    parts += "<rect class=\"" + std::string(key(verdict)) + "\" " + place + " y=\"0\" height=\"24\"><title>" +
             words + "</title></rect>";
    x += width;
  }
  return "<svg class=\"bar\" viewBox=\"0 0 1000 24\" preserveAspectRatio=\"none\" role=\"img\" "
         "aria-label=\"" +
         label + "\">" + parts + "</svg>\n<ul class=\"legend\">" + legend + "</ul>\n";
}

struct Tally {
  int of[kVerdictCount] = {};
  int total = 0;
};

Tally tally_of(const Verdicts& verdicts, Category category) {
  Tally tally;
  for (const Judged& one : verdicts.all) {
    if (one.probe->category != category) continue;
    ++tally.of[static_cast<int>(one.verdict)];
    ++tally.total;
  }
  return tally;
}

std::string counts_table(const Verdicts& verdicts) {
  std::string out = "<div class=\"wide\"><table><thead><tr><th>category</th>";
  for (Verdict verdict : kOrder) out += "<th class=\"n\">" + std::string(shown(verdict)) + "</th>";
  out += "<th class=\"n\">all</th></tr></thead><tbody>\n";
  for (int c = 0; c < probes::kCategoryCount; ++c) {
    const auto category = static_cast<Category>(c);
    const Tally tally = tally_of(verdicts, category);
    if (tally.total == 0) continue;
    out += "<tr><td><a href=\"#in-" + std::string(probes::key(category)) + "\">" +
           markup_text(name(category)) + "</a></td>";
    for (Verdict verdict : kOrder) {
      const int n = tally.of[static_cast<int>(verdict)];
      out += "<td class=\"n " + std::string(n == 0 ? "zero" : key(verdict)) + "\">" + num_signed(n) + "</td>";
    }
    out += "<td class=\"n\">" + num_signed(tally.total) + "</td></tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string seen_at(const Observation& seen) {
  std::string out = ended_by(seen);
  return seen.text.empty() || seen.text == out ? out : out + ": " + seen.text;
}

std::string row(const Judged& one) {
  const probes::Probe& probe = *one.probe;
  const std::string id = markup_text(probe.id);
  return "<tr id=\"attack-" + id + "\"><td>" + verdict_word(one.verdict) + "</td><td><code>" + id +
         "</code><br>" + markup_text(probe.technique) + "<details><summary>about</summary><div><p>" +
         markup_text(probe.about) + "</p><dl>" + html_term("source", probe.reference) +
         html_term("stopped by", layers_text(probe.stopped_by)) + html_term("inside", seen_at(one.inside)) +
         html_term("control", control_text(probe)) + html_term("there", seen_at(one.control)) +
         "</dl></div></details></td><td class=\"how\">" + markup_text(outcome_text(one)) + "</td></tr>\n";
}

constexpr const char* kAttackHead =
    "<table class=\"attacks\"><thead><tr><th>verdict</th><th>attack</th><th>by what, or "
    "why</th></tr></thead><tbody>\n";

// What got through stands at the top, too.
std::string got_through(const Verdicts& verdicts) {
  std::string out;
  for (Verdict verdict : {Verdict::Escaped, Verdict::Exposed})
    for (const Judged& one : verdicts.all)
      if (one.verdict == verdict) {
        const std::string id = markup_text(one.probe->id);
        out += "<tr><td>" + verdict_word(verdict) + "</td><td><a href=\"#attack-" + id + "\"><code>" + id +
               "</code></a><br>" + markup_text(one.probe->technique) + "</td><td class=\"how\">" +
               markup_text(outcome_text(one)) + "</td></tr>\n";
      }
  return out.empty() ? out
                     : "<h2>What got through</h2>\n" + std::string(kAttackHead) + out + "</tbody></table>\n";
}

std::string category_section(const Verdicts& verdicts, Category category) {
  std::string rows;
  for (const Judged& one : verdicts.all)
    if (one.probe->category == category) rows += row(one);
  if (rows.empty()) return rows;
  return "<h2 id=\"in-" + std::string(probes::key(category)) + "\">" + markup_text(name(category)) +
         "</h2>\n" + kAttackHead + rows + "</tbody></table>\n";
}

}  // namespace

std::string report_html(const Verdicts& verdicts, const Subject& subject, std::string_view ablation) {
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.1f s", static_cast<double>(verdicts.milliseconds) / 1000);
  std::string out = "<h1>What the jail held against</h1>\n";
  out += "<dl>" + html_term("jail", subject.jail) + html_term("caller", subject.caller) +
         html_term("kernel", subject.kernel) + html_term("immure", IMMURE_VERSION) +
         html_term("it took", seconds) + "</dl>\n";
  out += "<p class=\"conclusion\">" + markup_text(conclusion(verdicts)) + "</p>\n";
  out += bar(verdicts) + counts_table(verdicts);
  if (!ablation.empty())
    out += "<p><a href=\"#ablation\">Layer by layer</a>: which layers carry, and which hold alone</p>\n";
  out += got_through(verdicts);
  for (int c = 0; c < probes::kCategoryCount; ++c)
    out += category_section(verdicts, static_cast<Category>(c));
  if (!ablation.empty()) out += "<section id=\"ablation\">\n" + std::string(ablation) + "</section>\n";
  return html_document(
      {.title = "immure prove: " + subject.jail, .style = kStyle, .body = std::move(out), .script = {}});
}

}  // namespace immure::prove
