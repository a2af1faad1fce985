#include "watch/sinks/json.h"

#include "base/file.h"
#include "base/text.h"
#include "watch/clock.h"
#include "watch/json_text.h"

namespace immure::watch {
namespace {

constexpr size_t kMostKept = 1 << 16;  // bytes before they are written

int64_t number(uint64_t value) { return static_cast<int64_t>(value); }

}  // namespace

std::string alert_line(const Alert& alert, const World& world) {
  JsonWriter json;
  json.begin_object().text("type", "alert");
  if (alert.detector != nullptr)
    json.text("detector", alert.detector->id).text("title", alert.detector->title);
  json.text("severity", key(alert.severity)).number("time_ns", number(alert.time)).number("pid", alert.pid);
  if (const Process* process = world.find(alert.pid)) put_text(json, "program", process->program);
  if (const std::string lineage = world.lineage(alert.pid); !lineage.empty())
    json.text("lineage", printable(lineage));
  json.text("why", printable(alert.why));
  if (!alert.technique.empty()) json.text("technique", alert.technique);
  json.begin_array("events");
  for (uint64_t event : alert.events) json.number({}, number(event));
  json.end_array().boolean("stopped", alert.stopped);
  if (alert.repeats > 0) json.number("repeats", number(alert.repeats));
  json.end_object();
  return json.str();
}

JsonSink::JsonSink(Wish wish) : wish_(std::move(wish)) {
  JsonWriter json;
  json.begin_object().text("type", "watch").text("schema", "immure.watch/1");
  json.text("target", printable(wish_.target)).text("source", wish_.source).text("level", wish_.level);
  json.number("wall_ahead_ns", wall_ahead()).end_object();
  out_ = json.str() + "\n";
}

Status JsonSink::event(const Event& event, std::span<const uint8_t>, const World& world) {
  const bool lost = event.action == Action::Lost;
  if (!lost && (!wish_.events || (wish_.kinds & bit(event.kind)) == 0)) return {};
  const Process* process = world.find(event.pid);
  out_ +=
      json_line(event, process != nullptr ? std::string_view(process->program) : std::string_view()) + "\n";
  return out_.size() > kMostKept ? flush() : Status();
}

Status JsonSink::alert(const Alert& alert, const World& world) {
  out_ += alert_line(alert, world) + "\n";
  return out_.size() > kMostKept ? flush() : Status();
}

Status JsonSink::flush() {
  if (out_.empty()) return {};
  std::string text;
  text.swap(out_);
  return write_fd(wish_.fd, text, "standard output");
}

Status JsonSink::end(const Totals& totals) {
  JsonWriter json;
  json.begin_object().text("type", "end");
  json.number("events", number(totals.events)).number("alerts", number(totals.alerts));
  json.number("kept_back", number(totals.kept_back)).number("lost", number(totals.lost));
  json.number("broken", number(totals.broken)).end_object();
  out_ += json.str() + "\n";
  return {};
}

}  // namespace immure::watch
