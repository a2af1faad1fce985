// A report for a terminal, and for programs.
#include <algorithm>

#include "base/text.h"
#include "watch/report/summary.h"

namespace immure::watch {
namespace {

std::string counted(uint64_t count, std::string_view one) {
  return num(count) + " " + std::string(one) + (count == 1 ? "" : "s");
}

std::string tally_text(const Tally& tally) {
  std::string text = num(tally.all());
  if (tally.failed != 0) text += ", " + num(tally.failed) + " failed";
  if (tally.denied != 0) text += ", " + num(tally.denied) + " denied";
  return text;
}

std::string program_of(const Summary& summary, int32_t pid) {
  for (const ProcessUse& use : summary.processes)
    if (use.process.pid == pid) return use.process.program;
  return {};
}

template <class Rows, class Line>
std::string section(const char* title, const Rows& rows, size_t most, const Line& line) {
  if (rows.empty()) return {};
  std::string text = "\n" + std::string(title) + "\n";
  for (size_t i = 0; i < rows.size() && i < most; ++i) text += "  " + line(rows[i]) + "\n";
  if (rows.size() > most) text += "  and " + num(rows.size() - most) + " more\n";
  return text;
}

void put_tally(JsonWriter& json, const Tally& tally) {
  json.number("done", static_cast<int64_t>(tally.done)).number("failed", static_cast<int64_t>(tally.failed));
  json.number("denied", static_cast<int64_t>(tally.denied))
      .number("unknown", static_cast<int64_t>(tally.unknown));
}

}  // namespace

std::string report_text(const Summary& summary, size_t rows) {
  const double seconds = static_cast<double>(summary.last - summary.first) / 1e9;
  std::string text = printable(summary.head.target) + ", " + wall_text(summary.head, summary.first) + ", " +
                     format_duration(summary.last - summary.first) + "\n";
  text += counted(summary.events, "event");
  if (seconds > 0)
    text += ", " + num(static_cast<uint64_t>(static_cast<double>(summary.events) / seconds)) + " a second";
  text += ", by " + printable(summary.head.source) + "; lost: " + num(summary.lost) + "\n";
  text += "The trace: " + std::string(text_of(summary.end)) + ".\n";
  for (int i = 0; i < kKindCount; ++i)
    if (const Tally& tally = summary.kinds[static_cast<size_t>(i)]; tally.all() != 0)
      text += "  " + std::string(key(static_cast<Kind>(i))) + ": " + tally_text(tally) + "\n";
  text += section("Alerts", summary.alerts, rows, [&](const TracedAlert& alert) {
    return std::string(key(alert.severity)) + "  " + printable(alert.detector) + "  " +
           num_signed(alert.pid) + " " + printable(program_of(summary, alert.pid)) + ": " +
           printable(alert.why) + (alert.stopped ? " (stopped)" : "");
  });
  text += section("Processes", summary.processes, rows, [](const ProcessUse& use) {
    return num_signed(use.process.pid) + " ← " + num_signed(use.process.parent) + "  " +
           printable(use.process.program) + "  " + counted(use.events, "event");
  });
  text += section("Files", summary.files, rows, [](const FileUse& use) {
    std::string line = printable(use.path);
    if (use.opened.all() != 0) line += "  read " + tally_text(use.opened);
    if (use.changed.all() != 0) line += "  changed " + tally_text(use.changed);
    return line;
  });
  text += section("Hosts", summary.hosts, rows,
                  [](const HostUse& use) { return printable(use.address) + "  " + tally_text(use.tally); });
  text += section("Calls", summary.calls, rows,
                  [](const CallUse& use) { return use.name + "  " + tally_text(use.tally); });
  if (summary.without_room != 0)
    text += "\n" + num(summary.without_room) + " rows had no room in these lists.\n";
  return text;
}

std::string report_json(const Summary& summary) {
  JsonWriter json;
  json.begin_object().text("schema", "immure.report/1").text("target", summary.head.target);
  json.text("began", wall_text(summary.head, summary.first)).text("source", summary.head.source);
  json.text("level", summary.head.level).text("host", summary.head.host).text("kernel", summary.head.kernel);
  json.number("nanoseconds", static_cast<int64_t>(summary.last - summary.first));
  json.number("events", static_cast<int64_t>(summary.events))
      .number("lost", static_cast<int64_t>(summary.lost));
  json.boolean("whole", summary.end == TraceEnd::Ended).boolean("changed", summary.end == TraceEnd::Broken);
  json.text("trace", text_of(summary.end)).text("digest", summary.digest);
  json.begin_object("kinds");
  for (int i = 0; i < kKindCount; ++i) {
    json.begin_object(key(static_cast<Kind>(i)));
    put_tally(json, summary.kinds[static_cast<size_t>(i)]);
    json.end_object();
  }
  json.end_object().begin_array("alerts");
  for (const TracedAlert& alert : summary.alerts) {
    json.begin_object().text("detector", alert.detector).text("severity", key(alert.severity));
    json.text("time", wall_text(summary.head, alert.time)).number("pid", alert.pid).text("why", alert.why);
    json.text("technique", alert.technique).boolean("stopped", alert.stopped);
    json.number("repeats", static_cast<int64_t>(alert.repeats)).begin_array("events");
    for (uint64_t event : alert.events) json.number({}, static_cast<int64_t>(event));
    json.end_array().end_object();
  }
  json.end_array().begin_array("processes");
  for (const ProcessUse& use : summary.processes)
    json.begin_object()
        .number("pid", use.process.pid)
        .number("parent", use.process.parent)
        .text("program", use.process.program)
        .number("events", static_cast<int64_t>(use.events))
        .number("alerts", static_cast<int64_t>(use.alerts))
        .end_object();
  json.end_array().begin_array("files");
  for (const FileUse& use : summary.files) {
    json.begin_object().text("path", use.path).begin_object("read");
    put_tally(json, use.opened);
    json.end_object().begin_object("changed");
    put_tally(json, use.changed);
    json.end_object().end_object();
  }
  json.end_array().begin_array("hosts");
  for (const HostUse& use : summary.hosts) {
    json.begin_object().text("address", use.address);
    put_tally(json, use.tally);
    json.end_object();
  }
  json.end_array().begin_array("calls");
  for (const CallUse& use : summary.calls) {
    json.begin_object().text("call", use.name);
    put_tally(json, use.tally);
    json.end_object();
  }
  return json.end_array()
             .number("without_room", static_cast<int64_t>(summary.without_room))
             .end_object()
             .str() +
         "\n";
}

}  // namespace immure::watch
