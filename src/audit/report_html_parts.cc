#include "audit/report_html_parts.h"

#include <cmath>
#include <cstdio>
#include <numbers>
#include <set>

#include "audit/report.h"
#include "base/markup.h"
#include "base/text.h"

namespace immure::audit {
namespace {

constexpr size_t kMostRows = 2000;
constexpr int kDeepest = 200;  // what hangs deeper is shown beside its parent

std::string decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

struct Spot {
  double x, y;
};
// On the dial: 0 is left, 100 is right. Its middle is 100, 100.
Spot spot(int value, double radius) {
  const double angle = std::numbers::pi * (1 - value / 100.0);
  return {100 + radius * std::cos(angle), 100 - radius * std::sin(angle)};
}

std::string tick(int value) {
  const Spot inner = spot(value, 73), outer = spot(value, 87), word = spot(value, 95);
  return "<line class=\"tick\" x1=\"" + decimal(inner.x) + "\" y1=\"" + decimal(inner.y) + "\" x2=\"" +
         decimal(outer.x) + "\" y2=\"" + decimal(outer.y) + "\"/><text class=\"mark\" x=\"" +
         decimal(word.x) + "\" y=\"" + decimal(word.y) + "\">" + num_signed(value) + "</text>";
}

std::string share(int earned, int of) {
  return "<svg class=\"share\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect "
         "class=\"ground\" width=\"100\" height=\"10\"/><rect class=\"fill\" height=\"10\" width=\"" +
         num_signed(of == 0 ? 0 : 100 * earned / of) + "\"/></svg>";
}

std::string point_row(const char* name, int earned, int of, std::string_view why, const char* kind = "") {
  return "<tr" + std::string(kind) + "><td>" + name + "</td><td class=\"n\">" + num_signed(earned) + " of " +
         num_signed(of) + "</td><td>" + share(earned, of) + "</td><td>" + markup_text(why) + "</td></tr>\n";
}

struct Drawing {
  const Picture& picture;
  std::vector<std::vector<size_t>> below;
  std::set<std::string> marked;
};

std::string branch_items(const Drawing& drawing, const std::vector<size_t>& rows) {
  std::string out;
  for (size_t row : rows) {
    const Branch& branch = drawing.picture.branches[row];
    out += drawing.marked.contains(branch.name) ? "<li class=\"marked\">" : "<li>";
    out += "<code>" + markup_text(branch.name) + "</code><span class=\"detail\">" +
           markup_text(branch.detail) + "</span>";
    const std::vector<size_t>& below = drawing.below[row];
    if (!below.empty()) out += "<ul>\n" + branch_items(drawing, below) + "</ul>";
    out += "</li>\n";
  }
  return out;
}

}  // namespace

std::string dial(const Score& score) {
  const char* kind = score.value < top(Rung::Holds)     ? "low"
                     : score.value < top(Rung::Watched) ? "middle"
                                                        : "high";
  const std::string value = num_signed(score.value);
  std::string out = "<svg class=\"dial " + std::string(kind) +
                    "\" viewBox=\"0 0 200 118\" role=\"img\" aria-label=\"score " + value +
                    " of 100\"><path class=\"ground\" d=\"M20 100A80 80 0 0 1 180 100\"/>";
  if (score.value > 0)
    out += "<path class=\"arc\" pathLength=\"100\" stroke-dasharray=\"" + value +
           " 100\" d=\"M20 100A80 80 0 0 1 180 100\"/>";
  for (int i = 0; i < kRungCount; ++i) out += tick(top(static_cast<Rung>(i)));
  return out + "<text class=\"value\" x=\"100\" y=\"98\">" + value +
         "</text><text class=\"of\" x=\"100\" y=\"114\">of 100</text></svg>\n";
}

std::string points_section(const Score& score) {
  std::string out = "<h3>The score, point by point</h3>\n";
  if (!score.cap.empty())
    out += "<p>" + num_signed(score.value) + ", for " + markup_text(score.cap) + "; else it would be " +
           num_signed(score.sum) + ".</p>\n";
  out += "<div class=\"wide\"><table class=\"points\"><tbody>\n";
  int before = 0;
  for (int i = 0; i < kRungCount; ++i) {
    const auto step = static_cast<Rung>(i);
    out += point_row(title(step), score.of(step), top(step) - before, "", " class=\"rung\"");
    before = top(step);
    for (const PointScore& one : score.points)
      if (rung(one.point) == step) out += point_row(key(one.point), one.earned, one.weight, one.why);
  }
  out += point_row("a battery of immure prove", score.battery, kBatteryWeight, score.battery_why,
                   " class=\"rung\"");
  return out + "</tbody></table></div>\n";
}

std::string tree_section(const Picture& picture, const Audit& audit) {
  Drawing drawing{picture, std::vector<std::vector<size_t>>(picture.branches.size()), {}};
  for (const Finding& finding : audit.answers.findings()) drawing.marked.insert(finding.where);
  std::vector<size_t> tops;
  std::vector<int> depth(picture.branches.size()), shown_on(picture.branches.size(), -1);
  const size_t rows = std::min(picture.branches.size(), kMostRows);
  for (size_t i = 0; i < rows; ++i) {
    int on = picture.branches[i].parent;
    if (on >= static_cast<int>(i)) on = -1;
    if (on >= 0 && depth[static_cast<size_t>(on)] >= kDeepest) on = shown_on[static_cast<size_t>(on)];
    shown_on[i] = on;
    if (on < 0) {
      tops.push_back(i);
    } else {
      depth[i] = depth[static_cast<size_t>(on)] + 1;
      drawing.below[static_cast<size_t>(on)].push_back(i);
    }
  }
  std::string out = "<h3>" + markup_text(picture.title) + "</h3>\n<ul class=\"tree\">\n" +
                    branch_items(drawing, tops) + "</ul>\n";
  if (rows < picture.branches.size()) out += "<p>and " + num(picture.branches.size() - rows) + " more</p>\n";
  return out;
}

}  // namespace immure::audit
