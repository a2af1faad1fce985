#include <algorithm>
#include <cstdio>

#include "base/text.h"
#include "prove/report.h"

namespace immure::prove {
namespace {

using probes::Category;
using probes::Probe;

constexpr const char* kShown[] = {"blocked", "ESCAPED", "EXPOSED", "n/a", "unsure"};
constexpr const char* kColours[] = {"\x1b[32m", "\x1b[31;1m", "\x1b[33;1m", "\x1b[2m", "\x1b[33m"};

std::string coloured(Verdict verdict, bool colour) {
  std::string word = shown(verdict);
  std::string gap(8 - word.size(), ' ');
  return colour ? kColours[static_cast<int>(verdict)] + word + "\x1b[0m" + gap : word + gap;
}

void pad(std::string& line, size_t column) {
  if (line.size() < column)
    line.append(column - line.size(), ' ');
  else
    line += ' ';
}

std::string line_of(const Judged& one, bool colour) {
  std::string line = one.probe->id;
  pad(line, 28);
  line += one.probe->technique;
  pad(line, 82);
  line += outcome_text(one);
  return "  " + coloured(one.verdict, colour) + printable(line) + "\n";
}

struct Counts {
  int of[kVerdictCount] = {};
  int total = 0;
};

std::string counts_line(const char* name, const Counts& counts) {
  char line[160];
  std::snprintf(line, sizeof line, "  %-32s%8d%9d%9d%9d%9d\n", name, counts.of[0], counts.of[1], counts.of[2],
                counts.of[3], counts.of[4]);
  return line;
}

}  // namespace

const char* shown(Verdict verdict) { return kShown[static_cast<int>(verdict)]; }

std::string outcome_text(const Judged& judged) {
  if (judged.verdict != Verdict::Blocked) return judged.why;
  std::string layers = layers_text(judged.layers);
  return judged.by + (layers.empty() ? "" : "  [" + layers + "]");
}

std::string emptiness(const Verdicts& verdicts) {
  const int blocked = verdicts.of(Verdict::Blocked), unsure = verdicts.of(Verdict::Inconclusive);
  if (blocked == 0) return "This shows nothing of what holds: not one attack was blocked";
  if (unsure > blocked)
    return "This shows little of what holds: more attacks showed nothing (" + num_signed(unsure) +
           ") than were blocked";
  return {};
}

std::string conclusion(const Verdicts& verdicts) {
  int escaped = verdicts.of(Verdict::Escaped), exposed = verdicts.of(Verdict::Exposed),
      unsure = verdicts.of(Verdict::Inconclusive);
  std::string out;
  out += escaped == 0 ? "Nothing escaped" : num_signed(escaped) + " escaped";
  out += exposed == 0 ? ", nothing is exposed" : ", " + num_signed(exposed) + " exposed";
  out += ": of " + num(verdicts.all.size()) + " attacks " + num_signed(verdicts.of(Verdict::Blocked)) +
         " were blocked, each of them succeeded in its control";
  if (unsure > 0) out += "; " + num_signed(unsure) + " showed nothing, for their controls failed, too";
  const std::string empty = emptiness(verdicts);
  return out + (empty.empty() ? "." : ". " + empty + ".");
}

std::string layers_text(uint32_t mask) {
  std::string out;
  for (int i = 0; i < kLayerCount; ++i)
    if ((mask >> i & 1) != 0) out += (out.empty() ? "" : ", ") + std::string(key(static_cast<Layer>(i)));
  return out;
}

std::string report_text(const Verdicts& verdicts, const Subject& subject, bool colour) {
  std::string out = "Tried: " + printable(subject.jail) + "\nas " + printable(subject.caller) + ", kernel " +
                    printable(subject.kernel) + "\n";
  Counts totals[probes::kCategoryCount], all;
  for (int c = 0; c < probes::kCategoryCount; ++c) {
    const auto category = static_cast<Category>(c);
    for (const Judged& one : verdicts.all) {
      if (one.probe->category != category) continue;
      if (totals[c].total++ == 0) out += "\n" + std::string(name(category)) + "\n";
      ++totals[c].of[static_cast<int>(one.verdict)];
      ++all.of[static_cast<int>(one.verdict)];
      out += line_of(one, colour);
    }
  }
  out += "\n                                   blocked  escaped  exposed      n/a   unsure\n";
  for (int c = 0; c < probes::kCategoryCount; ++c)
    if (totals[c].total > 0) out += counts_line(name(static_cast<Category>(c)), totals[c]);
  out += counts_line("all", all);
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.1f s", static_cast<double>(verdicts.milliseconds) / 1000);
  return out + "\n" + conclusion(verdicts) + "\nIt took " + seconds +
         ". What an attack is: immure prove --explain ID\n";
}

std::string list_text(const std::vector<const Probe*>& chosen) {
  std::string out;
  for (const Probe* probe : chosen) {
    std::string line = probe->id;
    pad(line, 28);
    line += probes::key(probe->category);
    pad(line, 42);
    out += line + probe->technique + "\n";
  }
  return out;
}

std::string control_text(const Probe& probe) {
  if ((probe.flags & probes::kFatal) != 0) return "a boot of its own, which ends with it";
  switch (probe.control.place) {
    case probes::Control::Place::Bare: return "no jail at all";
    case probes::Control::Place::Namespaced:
      return "root of namespaces of its own, with every capability and no filter";
    case probes::Control::Place::Chroot: return "root in a plain chroot";
    case probes::Control::Place::Jail: return std::string("the default jail with ") + probe.control.words;
  }
  return {};
}

std::string explain_text(const Probe& probe) {
  return std::string(probe.id) + ": " + probe.technique + "\n\n" + probe.about + "\n\ncategory    " +
         name(probe.category) + "\nsource      " + probe.reference + "\nstopped by  " +
         layers_text(probe.stopped_by) + "\ncontrol     " + control_text(probe) + "\n";
}

}  // namespace immure::prove
