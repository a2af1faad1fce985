#include "watch/sinks/top.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "watch/clock.h"

namespace immure::watch {
namespace {

constexpr size_t kMostAlerts = 32;
// xterm's control sequences: the alternate screen, the cursor hidden; from its top left corner, each line
// cleared behind its text.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l", kLeave = "\x1b[?25h\x1b[?1049l", kHome = "\x1b[H";
constexpr std::string_view kClearLine = "\x1b[K", kClearBelow = "\x1b[J";

uint64_t a_second(uint64_t count, uint64_t nanoseconds) {
  return nanoseconds == 0
             ? 0
             : static_cast<uint64_t>(static_cast<double>(count) * 1e9 / static_cast<double>(nanoseconds));
}

std::string right(const std::string& text, size_t width) {
  return text.size() >= width ? text : std::string(width - text.size(), ' ') + text;
}

// Cut to a width; texts are printable, and a character of several bytes is not cut within.
std::string cut(std::string text, size_t width) {
  if (text.size() <= width) return text;
  while (width > 0 && (static_cast<unsigned char>(text[width]) & 0xc0) == 0x80) --width;
  return text.substr(0, width);
}

template <class Key, class Value, class Less>
std::vector<std::pair<Key, Value>> best(const std::unordered_map<Key, Value>& from, size_t most,
                                        const Less& more) {
  std::vector<std::pair<Key, Value>> rows(from.begin(), from.end());
  const auto end = rows.begin() + static_cast<std::ptrdiff_t>(std::min(most, rows.size()));
  std::partial_sort(rows.begin(), end, rows.end(), more);
  rows.erase(end, rows.end());
  return rows;
}

}  // namespace

TopSink::TopSink(Wish wish) : wish_(std::move(wish)), began_(monotonic_now()), drawn_(began_) {}

TopSink::~TopSink() { leave(); }

void TopSink::leave() {
  if (entered_) (void)write_fd(wish_.fd, kLeave, "terminal");
  entered_ = false;
}

Status TopSink::event(const Event& event, std::span<const uint8_t> /*record*/, const World& world) {
  const uint64_t count = event.action == Action::Counted ? event.args[0] : 1;
  if (event.action == Action::Lost) {
    lost_ += event.args[0];
    return {};
  }
  events_ += count;
  all_events_ += count;
  kinds_[static_cast<size_t>(event.kind)] += count;
  if (processes_.size() < kMostRows || processes_.contains(event.pid)) {
    Row& row = processes_[event.pid];
    row.events += count;
    row.bad += event.verdict == Verdict::Failed || event.verdict == Verdict::Denied ? count : 0;
    if (row.program.empty())
      if (const Process* process = world.find(event.pid)) row.program = printable(process->program);
  } else {
    others_ += count;
  }
  if (const std::string name = call_name(event);
      !name.empty() && (calls_.size() < kMostRows || calls_.contains(name)))
    calls_[name] += count;
  return {};
}

Status TopSink::alert(const Alert& alert, const World& /*world*/) {
  all_alerts_ += 1 + alert.repeats;
  alerts_.push_front(std::string(key(alert.severity)) + "  " +
                     (alert.detector != nullptr ? alert.detector->id : "") + "  " + num_signed(alert.pid) +
                     "  " + printable(alert.why) + (alert.stopped ? " (stopped)" : ""));
  if (alerts_.size() > kMostAlerts) alerts_.pop_back();
  return {};
}

std::string TopSink::screen(unsigned rows, unsigned columns, uint64_t nanoseconds) const {
  std::vector<std::string> lines;
  lines.push_back("immure watch  " + printable(wish_.target) + "  by " + wish_.source + "  " +
                  num(a_second(events_, nanoseconds)) + " events/s  " + num(all_events_) +
                  " in all  alerts " + num(all_alerts_) + "  lost " + num(lost_));
  std::string kinds;
  for (size_t kind = 0; kind < kKindCount; ++kind)
    if (kinds_[kind] != 0)
      kinds += std::string(key(static_cast<Kind>(kind))) + " " + num(kinds_[kind]) + "  ";
  lines.push_back(kinds);
  lines.emplace_back();
  const size_t left = rows > lines.size() + 4 ? rows - lines.size() - 4 : 0;
  const size_t alerts = std::min(alerts_.size(), left / 3), calls = (left - alerts) / 3,
               processes = left - alerts - calls;
  lines.push_back("    PID  EVENTS/S  REFUSED  PROGRAM");
  for (const auto& [pid, row] : best(processes_, processes, [](const auto&a, const auto&b) {
         return a.second.events > b.second.events;
       }))
    lines.push_back(right(num_signed(pid), 7) + right(num(a_second(row.events, nanoseconds)), 10) +
                    right(num(a_second(row.bad, nanoseconds)), 9) + "  " + row.program);
  if (others_ != 0)
    lines.push_back("      …" + right(num(a_second(others_, nanoseconds)), 10) + "           others");
  lines.push_back("  CALLS/S  CALL");
  for (const auto& [name, count] :
       best(calls_, calls, [](const auto&a, const auto&b) { return a.second > b.second; }))
    lines.push_back(right(num(a_second(count, nanoseconds)), 9) + "  " + name);
  if (alerts != 0) lines.emplace_back("ALERTS, the last one first");
  for (size_t i = 0; i < alerts; ++i) lines.push_back(alerts_[i]);
  std::string out;
  for (size_t i = 0; i < lines.size() && i < rows; ++i) out += (i == 0 ? "" : "\n") + cut(lines[i], columns);
  return out;
}

Status TopSink::draw(uint64_t now) {
  winsize size{};
  if (ioctl(wish_.fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
    size.ws_row = 24;
    size.ws_col = 80;
  }
  std::string out(entered_ ? kHome : kEnter);
  if (!entered_) out += kHome;
  entered_ = true;
  const std::string drawn = screen(size.ws_row, size.ws_col, now - drawn_);
  bool first = true;
  for (std::string_view line : split(drawn, '\n')) {
    if (!first) out += "\r\n";
    first = false;
    out += line;
    out += kClearLine;
  }
  out += kClearBelow;
  drawn_ = now;
  events_ = others_ = 0;
  processes_.clear();
  calls_.clear();
  kinds_ = {};
  return write_fd(wish_.fd, out, "the terminal");
}

Status TopSink::flush() {
  const uint64_t now = monotonic_now();
  return now < drawn_ + kEvery ? Status{} : draw(now);
}

Status TopSink::end(const Totals& totals) {
  leave();
  const std::string text =
      num(totals.events) + " events, " + num(totals.alerts) + " alerts, " + num(totals.lost) + " lost\n";
  return write_fd(wish_.fd, text, "the terminal");
}

}  // namespace immure::watch
