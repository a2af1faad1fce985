// An event as a line of JSON: schema/event.schema.json.
#include "base/result.h"
#include "base/text.h"
#include "watch/calls.h"
#include "watch/event.h"
#include "watch/json_text.h"
#include "watch/names.h"

namespace immure::watch {
namespace {

void put_words(JsonWriter& json, std::string_view words) {
  json.begin_array("words");
  for (size_t at = 0; at < words.size();) {
    const size_t end = std::min(words.find('\0', at), words.size());
    json.text({}, printable(words.substr(at, end - at)));
    at = end + 1;
  }
  json.end_array();
}

void put_call(JsonWriter& json, const Event& event) {
  const std::string name = call_name(event);
  if (name.empty()) return;
  json.text("call", name);
  if (event.arch == 0) return;
  json.number("nr", event.nr);
  json.begin_array("args");
  for (uint64_t arg : event.args) json.text({}, hex(arg));
  json.end_array();
}

void put_outcome(JsonWriter& json, const Event& event) {
  json.text("verdict", key(event.verdict));
  if (event.action == Action::End) {
    if (event.result.value_or(-1) >= 0) json.text("end", end_text(*event.result));
    return;
  }
  if (!event.result) return;
  json.number("result", *event.result);
  if (*event.result < 0 && *event.result >= -4095)
    json.text("error", errno_name(static_cast<int>(-*event.result)));
}

}  // namespace

void put_text(JsonWriter& json, std::string_view key, std::string_view text) {
  if (text.empty()) return;
  if (printable(text) == text) {
    json.text(key, text);
    return;
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string digits;
  for (char c : text) {
    digits += kDigits[static_cast<uint8_t>(c) >> 4];
    digits += kDigits[static_cast<uint8_t>(c) & 15];
  }
  json.text(std::string(key) + "_hex", digits);
}

std::string json_line(const Event& event, std::string_view program) {
  JsonWriter json;
  json.begin_object().text("type", "event");
  json.number("event", static_cast<int64_t>(event.number))
      .number("time_ns", static_cast<int64_t>(event.time));
  json.number("pid", event.pid).number("tid", event.tid);
  put_text(json, "program", program);
  json.text("kind", key(event.kind)).text("action", key(event.action));
  put_call(json, event);
  put_text(json, "path", event.path);
  put_text(json, "second", event.second);
  put_text(json, "resolved", event.resolved);
  put_text(json, "text", event.text);
  if (!event.words.empty()) put_words(json, event.words);
  put_text(json, "address", text_of(event.address));
  if (event.other != 0) json.number("other", event.other);
  if (event.flags != 0) json.text("flags", hex(event.flags));
  if (const std::string names = flags_text(event); !names.empty()) json.text("flag_names", names);
  put_outcome(json, event);
  json.text("certainty", key(event.certainty));
  if (event.cut) json.boolean("cut", true);
  if (event.unreadable) json.boolean("unreadable", true);
  if (event.held) json.boolean("held", true);
  json.text("sentence", sentence(event));
  json.end_object();
  return json.str();
}

}  // namespace immure::watch
