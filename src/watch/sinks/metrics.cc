#include "watch/sinks/metrics.h"

#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "watch/clock.h"

namespace immure::watch {
namespace {

// As the text format wants label values: backslash, quote and newline escaped.
std::string label(std::string_view text) {
  std::string out;
  for (char c : printable(text)) {
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

std::string head(const char* name, const char* kind, const char* help) {
  return "# HELP " + std::string(name) + " " + help + "\n# TYPE " + name + " " + kind + "\n";
}

}  // namespace

MetricsSink::MetricsSink(std::string file, const std::string& target)
    : file_(std::move(file)), target_(label(target)) {}

Status MetricsSink::event(const Event& event, std::span<const uint8_t> /*record*/, const World& world) {
  ++events_[static_cast<size_t>(event.kind)][static_cast<size_t>(event.verdict)];
  if (event.action == Action::Lost) lost_ += event.args[0];
  processes_ = world.size();
  return {};
}

Status MetricsSink::alert(const Alert& alert, const World& /*world*/) {
  alerts_[static_cast<size_t>(alert.severity)] += 1 + alert.repeats;
  return {};
}

std::string MetricsSink::text() const {
  const std::string target = "target=\"" + target_ + "\"";
  std::string out =
      head("immure_watch_events_total", "counter", "What watched processes did, by kind and outcome.");
  for (size_t kind = 0; kind < kKindCount; ++kind)
    for (size_t verdict = 0; verdict < 4; ++verdict)
      if (events_[kind][verdict] != 0)
        out += "immure_watch_events_total{" + target + ",kind=\"" + key(static_cast<Kind>(kind)) +
               "\",outcome=\"" + key(static_cast<Verdict>(verdict)) + "\"} " + num(events_[kind][verdict]) +
               "\n";
  out += head("immure_watch_alerts_total", "counter", "Alerts, by severity.");
  for (size_t severity = 0; severity < alerts_.size(); ++severity)
    out += "immure_watch_alerts_total{" + target + ",severity=\"" + key(static_cast<Severity>(severity)) +
           "\"} " + num(alerts_[severity]) + "\n";
  out += head("immure_watch_lost_total", "counter", "Records that could not be kept.");
  out += "immure_watch_lost_total{" + target + "} " + num(lost_) + "\n";
  out += head("immure_watch_processes", "gauge", "Processes that are remembered.");
  return out + "immure_watch_processes{" + target + "} " + num(processes_) + "\n";
}

Status MetricsSink::write() {
  constexpr unsigned kReadable = 0644;
  return write_file_atomic(file_, text(), kReadable);
}

Status MetricsSink::flush() {
  const uint64_t now = monotonic_now();
  if (now < next_) return {};
  next_ = now + kEvery;
  return write();
}

Status MetricsSink::end(const Totals& totals) {
  lost_ = std::max(lost_, totals.lost);
  return write();
}

}  // namespace immure::watch
