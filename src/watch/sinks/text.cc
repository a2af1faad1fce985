#include "watch/sinks/text.h"

#include <termios.h>
#include <time.h>

#include <cstdio>

#include "base/file.h"
#include "base/text.h"
#include "base/utf8.h"
#include "watch/clock.h"

namespace immure::watch {
namespace {

constexpr size_t kMostKept = 1 << 16;  // bytes before they are written
constexpr const char *kRed = "31", *kYellow = "33", *kBold = "1", *kDim = "2", *kAlarm = "1;31";

std::string padded(const std::string& text, size_t width) {
  size_t shown = 0;
  for (size_t at = 0; at < text.size();) {
    const Utf8Char one = utf8_char(text, at);
    at += one.length == 0 ? 1 : one.length;
    shown++;
  }
  return shown < width ? text + std::string(width - shown, ' ') : text;
}

std::string last_name(std::string_view program) { return printable(program.substr(program.rfind('/') + 1)); }

const char* colour_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::Denied: return kRed;
    case Verdict::Failed: return kYellow;
    case Verdict::Unknown: return kDim;
    case Verdict::Done: return "";
  }
  return "";
}

const char* colour_of(Severity severity) {
  switch (severity) {
    case Severity::Notice:
    case Severity::Low: return kBold;
    case Severity::Medium: return kYellow;
    case Severity::High:
    case Severity::Critical: return kAlarm;
  }
  return "";
}

// A terminal that a program has made raw: a line feed does not lead back to its left.
bool only_goes_down(int fd) {
  termios modes{};
  return tcgetattr(fd, &modes) == 0 && (modes.c_oflag & OPOST) == 0;
}

}  // namespace

TextSink::TextSink(Wish wish) : wish_(wish), wall_(wall_ahead()) {}

std::string TextSink::paint(const char* colour, std::string text) const {
  if (!wish_.colour || *colour == '\0') return text;
  return "\x1b[" + std::string(colour) + "m" + text + "\x1b[0m";
}

std::string TextSink::when(uint64_t time) const {
  const int64_t wall = static_cast<int64_t>(time) + wall_;
  const time_t seconds = static_cast<time_t>(wall / 1'000'000'000);
  tm parts{};
  localtime_r(&seconds, &parts);
  char text[32];
  std::snprintf(text, sizeof text, "%02d:%02d:%02d.%03d", parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<int>(wall / 1'000'000 % 1000));
  return text;
}

std::string TextSink::head(uint64_t time, int32_t pid, const World& world) const {
  const Process* process = world.find(pid);
  std::string number = num_signed(pid);
  if (number.size() < 7) number.insert(0, 7 - number.size(), ' ');
  return paint(kDim, when(time)) + " " + number + " " +
         padded(process != nullptr ? last_name(process->program) : "", 15) + " ";
}

Status TextSink::event(const Event& event, std::span<const uint8_t>, const World& world) {
  const bool lost = event.action == Action::Lost;
  if (!lost && (!wish_.events || (wish_.kinds & bit(event.kind)) == 0)) return {};
  const char* colour = lost ? kAlarm : colour_of(event.verdict);
  out_ += head(event.time, event.pid, world) +
          paint(colour, padded(event.verdict == Verdict::Unknown ? "asked" : key(event.verdict), 7)) +
          (lost ? paint(colour, sentence(event)) : sentence(event)) + "\n";
  return out_.size() > kMostKept ? flush() : Status();
}

Status TextSink::alert(const Alert& alert, const World& world) {
  const char* colour = colour_of(alert.severity);
  std::string line = head(alert.time, alert.pid, world) + paint(colour, padded(key(alert.severity), 9));
  if (alert.detector != nullptr)
    line += paint(colour, alert.detector->title) + (alert.stopped ? " (stopped)" : "") + ": ";
  line += printable(alert.why);
  const std::string lineage = world.lineage(alert.pid);
  if (!lineage.empty()) line += "; run by " + printable(lineage);
  if (!alert.events.empty()) {
    line += "; event";
    for (size_t i = 0; i < alert.events.size(); i++) line += (i == 0 ? " " : ", ") + num(alert.events[i]);
  }
  if (alert.detector != nullptr) line += paint(kDim, " [" + std::string(alert.detector->id) + "]");
  if (alert.repeats > 0) line += ", and " + num(alert.repeats) + " alike";
  out_ += line + "\n";
  return out_.size() > kMostKept ? flush() : Status();
}

Status TextSink::flush() {
  if (out_.empty()) return {};
  std::string text;
  text.swap(out_);
  if (only_goes_down(wish_.fd))
    for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) text.insert(at, 1, '\r');
  Status written = write_fd(wish_.fd, text, "standard output");
  return wish_.may_drop ? Status() : written;
}

Status TextSink::end(const Totals& totals) {
  std::string line = num(totals.events) + " events, " + num(totals.alerts) + " alerts";
  if (totals.kept_back > 0) line += ", " + num(totals.kept_back) + " more like one before";
  if (totals.broken > 0) line += ", " + num(totals.broken) + " records that could not be understood";
  out_ += paint(kDim, line) + "\n";
  if (totals.lost > 0)
    out_ +=
        paint(kAlarm, num(totals.lost) + " records could not be kept: this is not all that was done") + "\n";
  return {};
}

}  // namespace immure::watch
