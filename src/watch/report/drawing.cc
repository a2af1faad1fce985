#include "watch/report/drawing.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <unordered_map>

#include "base/markup.h"
#include "base/text.h"

namespace immure::watch {
namespace {

constexpr double kWidth = 1000, kLeft = 60, kRight = 10, kInner = kWidth - kLeft - kRight;
constexpr size_t kHeatRows = 30, kHeatColumns = 120;

std::string real(double value) {
  char text[32];
  return {text, static_cast<size_t>(std::snprintf(text, sizeof text, "%.1f", value))};
}

std::string rect(double x, double y, double width, double height, const std::string& more,
                 const std::string& title = {}) {
  std::string out = "<rect x=\"" + real(x) + "\" y=\"" + real(y) + "\" width=\"" + real(width) +
                    "\" height=\"" + real(height) + "\" " + more;
  return title.empty() ? out + "/>" : out + "><title>" + markup_text(title) + "</title></rect>";
}

std::string label(double x, double y, const char* anchor, std::string_view text) {
  return "<text x=\"" + real(x) + "\" y=\"" + real(y) + "\" text-anchor=\"" + anchor + "\">" +
         markup_text(text) + "</text>";
}

std::string open_svg(double height, const char* name) {
  return "<svg viewBox=\"0 0 " + real(kWidth) + " " + real(height) + "\" role=\"img\" aria-label=\"" + name +
         "\">\n";
}

// Where the trace's times are across the picture.
class Span {
 public:
  explicit Span(const Summary& summary)
      : begin_(summary.first), length_(std::max<uint64_t>(summary.last - summary.first, 1)) {}
  double x(uint64_t time) const {
    const double share =
        time <= begin_ ? 0 : static_cast<double>(time - begin_) / static_cast<double>(length_);
    return kLeft + kInner * std::min(share, 1.0);
  }
  // Times below the picture.
  std::string axis(double y) const {
    std::string out;
    for (int i = 0; i <= 5; ++i) {
      const char* anchor = i == 0 ? "start" : i == 5 ? "end" : "middle";
      out += label(kLeft + kInner * i / 5, y, anchor,
                   "+" + format_duration(length_ / 5 * static_cast<uint64_t>(i)));
    }
    return out;
  }

 private:
  uint64_t begin_, length_;
};

std::string column_text(const Columns<kKindCount>& over_time, size_t at) {
  std::string text = "+" + format_duration(at * over_time.width());
  for (int i = 0; i < kKindCount; ++i)
    if (const uint64_t count = over_time.columns()[at][static_cast<size_t>(i)]; count != 0)
      text += "\n" + std::string(key(static_cast<Kind>(i))) + " " + num(count);
  return text;
}

std::string legend(const Summary& summary) {
  std::string out = "<div class=\"legend\">";
  for (int i = 0; i < kKindCount; ++i)
    if (const Tally& tally = summary.kinds[static_cast<size_t>(i)]; tally.all() != 0)
      out += "<span><i class=\"k" + num_signed(i) + "\"></i>" + key(static_cast<Kind>(i)) + " " +
             num(tally.all()) + "</span>";
  return out + "</div>\n";
}

}  // namespace

std::string timeline(const Summary& summary) {
  const auto& columns = summary.over_time.columns();
  if (columns.empty()) return "<p>Nothing happened.</p>\n";
  constexpr double kHeight = 220, kTop = 10, kBase = 195;
  uint64_t most = 1;
  for (const auto& column : columns) {
    uint64_t sum = 0;
    for (uint64_t count : column) sum += count;
    most = std::max(most, sum);
  }
  const Span span(summary);
  const double width = std::max(kInner / static_cast<double>(columns.size()), 0.5);
  std::string out = legend(summary) + open_svg(kHeight, "events over time");
  for (size_t at = 0; at < columns.size(); ++at) {
    double y = kBase;
    std::string bars;
    for (size_t row = 0; row < kKindCount; ++row) {
      const double height =
          (kBase - kTop) * static_cast<double>(columns[at][row]) / static_cast<double>(most);
      if (height <= 0) continue;
      y -= height;
      bars += rect(kLeft + kInner * static_cast<double>(at) / static_cast<double>(columns.size()), y, width,
                   height, "class=\"k" + num(row) + "\"");
    }
    if (!bars.empty())
      out += "<g>" + bars + "<title>" + markup_text(column_text(summary.over_time, at)) + "</title></g>\n";
  }
  for (const TracedAlert& alert : summary.alerts) {
    const std::string x = real(span.x(alert.time));
    out += "<line class=\"mark\" x1=\"" + x + "\" x2=\"" + x + "\" y1=\"" + real(kTop) + "\" y2=\"" +
           real(kTop + 12) + "\"><title>" + markup_text(alert.detector + ": " + alert.why) +
           "</title></line>\n";
  }
  const double seconds = static_cast<double>(summary.over_time.width()) / 1e9;
  out += "<line class=\"axis\" x1=\"" + real(kLeft) + "\" x2=\"" + real(kWidth - kRight) + "\" y1=\"" +
         real(kBase) + "\" y2=\"" + real(kBase) + "\"/>";
  out += label(kLeft - 4, kTop + 8, "end",
               num(static_cast<uint64_t>(static_cast<double>(most) / seconds)) + "/s");
  return out + label(kLeft - 4, kBase, "end", "0") + span.axis(kHeight - 8) + "</svg>\n";
}

std::string heat_map(const Summary& summary) {
  if (summary.calls.empty()) return "<p>No calls.</p>\n";
  constexpr double kNames = 150, kRow = 14;
  const size_t rows = std::min(summary.calls.size(), kHeatRows);
  const double height = static_cast<double>(rows) * kRow + 20, inner = kWidth - kNames - kRight;
  const uint64_t length = std::max<uint64_t>(summary.last - summary.first, 1);
  std::string out = open_svg(height, "calls over time") + "<g class=\"heat\">\n";
  for (size_t row = 0; row < rows; ++row) {
    const CallUse& call = summary.calls[row];
    std::vector<uint64_t> counts(kHeatColumns);
    const auto& columns = call.over_time.columns();
    for (size_t at = 0; at < columns.size(); ++at) {
      const uint64_t time = call.over_time.begin() + at * call.over_time.width();
      const double share =
          time <= summary.first ? 0 : static_cast<double>(time - summary.first) / static_cast<double>(length);
      counts[std::min(static_cast<size_t>(share * kHeatColumns), kHeatColumns - 1)] += columns[at][0];
    }
    const uint64_t most = std::max<uint64_t>(*std::max_element(counts.begin(), counts.end()), 1);
    const double y = static_cast<double>(row) * kRow;
    out += label(kNames - 6, y + 10, "end", call.name + " " + num(call.tally.all()));
    for (size_t at = 0; at < kHeatColumns; ++at) {
      if (counts[at] == 0) continue;
      const double share =
          std::log1p(static_cast<double>(counts[at])) / std::log1p(static_cast<double>(most));
      out +=
          rect(kNames + inner * static_cast<double>(at) / kHeatColumns, y + 1, inner / kHeatColumns, kRow - 2,
               "fill-opacity=\"" + real(0.15 + 0.85 * share) + "\"", call.name + " " + num(counts[at]));
    }
    out += "\n";
  }
  out += "</g></svg>\n";
  if (summary.calls.size() > rows)
    out += "<p>and " + num(summary.calls.size() - rows) + " more calls, which <code>--json</code> has</p>\n";
  return out;
}

std::string process_tree(const Summary& summary, size_t most) {
  if (summary.processes.empty()) return "<p>No process.</p>\n";
  std::unordered_map<int32_t, std::vector<size_t>> children;
  std::unordered_map<int32_t, bool> known;
  for (const ProcessUse& use : summary.processes) known[use.process.pid] = true;
  std::vector<std::pair<size_t, unsigned>> stack;
  for (size_t i = summary.processes.size(); i-- > 0;) {
    const Process& process = summary.processes[i].process;
    if (known.contains(process.parent) && process.parent != process.pid)
      children[process.parent].push_back(i);
    else
      stack.emplace_back(i, 0);
  }
  constexpr double kNames = 460, kRow = 16;
  const double inner = kWidth - kNames - kRight;
  const double length = std::max(static_cast<double>(summary.last - summary.first), 1.0);
  const auto x_of = [&](uint64_t time) {
    return kNames +
           inner * std::min(time <= summary.first ? 0.0 : static_cast<double>(time - summary.first) / length,
                            1.0);
  };
  std::string rows;
  std::vector<bool> done(summary.processes.size());
  size_t row = 0;
  while (!stack.empty() && row < most) {
    const auto [at, depth] = stack.back();
    stack.pop_back();
    if (done[at]) continue;
    done[at] = true;
    const ProcessUse& use = summary.processes[at];
    const Process& process = use.process;
    std::string name = num_signed(process.pid) + " " + (process.program.empty() ? "?" : process.program);
    if (name.size() > 60) name = name.substr(0, 58) + "…";
    const double y = static_cast<double>(row++) * kRow;
    const double from = x_of(process.began), to = x_of(process.ended != 0 ? process.ended : summary.last);
    std::string words = process.words;
    std::replace(words.begin(), words.end(), '\0', ' ');
    rows += label(4 + 12.0 * std::min(depth, 20U), y + 11, "start", name);
    rows += rect(from, y + 3, std::max(to - from, 1.5), kRow - 6,
                 std::string("class=\"life") + (use.alerts != 0 ? " hit\"" : "\""),
                 words + "\n" + num(use.events) + " events, " + num(use.alerts) + " alerts") +
            "\n";
    if (const auto below = children.find(process.pid); below != children.end())
      for (size_t child : below->second) stack.emplace_back(child, depth + 1);
  }
  std::string out = open_svg(static_cast<double>(row) * kRow + 4, "processes") + rows + "</svg>\n";
  if (summary.processes.size() > row)
    out += "<p>and " + num(summary.processes.size() - row) +
           " more processes, which <code>--json</code> has</p>\n";
  return out;
}

}  // namespace immure::watch
