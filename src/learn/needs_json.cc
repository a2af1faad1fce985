#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/hex.h"
#include "base/text.h"
#include "learn/needs.h"

namespace immure::learn {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kSchema = "immure.needs/1";
constexpr size_t kMostText = 4096;

// Bytes that are no plain text are hexadecimal, under another key.
void write_text(JsonWriter& json, const std::string& key, const std::string& value) {
  if (printable(value) == value)
    json.text(key, value);
  else
    json.text(key + "_hex", to_hex(value));
}

void write_item(JsonWriter& json, Part part, const std::string& name, const Item& item) {
  json.begin_object().text("part", key(part));
  write_text(json, "key", name);
  json.begin_array("uses");
  for (int bit = 0; bit < kUseCount; ++bit)
    if ((item.uses >> bit & 1) != 0) json.text({}, use_key(bit));
  json.end_array().number("times", static_cast<int64_t>(item.times)).begin_array("runs");
  for (int run = 0; run < 64; ++run)
    if ((item.runs >> run & 1) != 0) json.number({}, run);
  json.end_array().number("first", static_cast<int64_t>(item.first));
  if (!item.note.empty()) json.text("note", printable(item.note));
  json.end_object();
}

// Reads one document; the first thing that is wrong stays.
struct Reader {
  std::string wrong = {};

  uint64_t number(const Json& from, const char* name) {
    auto found = from.find(name);
    if (found != from.end() && found->is_number_unsigned()) return found->get<uint64_t>();
    if (wrong.empty()) wrong = "it has no number " + std::string(name);
    return 0;
  }
  std::string text(const Json& from, const std::string& name) {
    auto found = from.find(name);
    if (found != from.end() && found->is_string()) return found->get<std::string>();
    auto hex = from.find(name + "_hex");
    if (hex != from.end() && hex->is_string())
      if (auto bytes = from_hex(hex->get<std::string>())) return *bytes;
    if (wrong.empty()) wrong = "it has no text " + name;
    return {};
  }
  uint32_t uses(const Json& list) {
    uint32_t all = 0;
    for (const Json& one : list) {
      uint32_t bit = 0;
      for (int i = 0; i < kUseCount; ++i)
        if (one == use_key(i)) bit = uint32_t{1} << i;
      if (bit == 0 && wrong.empty()) wrong = "an item has a use that is not known";
      all |= bit;
    }
    return all;
  }
  void item(const Json& from, Needs& needs) {
    std::string part = text(from, "part"), name = text(from, "key");
    auto runs = from.find("runs"), list = from.find("uses");
    if (wrong.empty() && (runs == from.end() || !runs->is_array() || list == from.end() || !list->is_array()))
      wrong = "an item has no uses or runs";
    if (wrong.empty() && (name.empty() || name.size() > kMostText || name.find('\0') != std::string::npos))
      wrong = "an item has a key that cannot be one";
    int at = 0;
    while (at < kPartCount && part != key(static_cast<Part>(at))) ++at;
    if (wrong.empty() && at == kPartCount) wrong = "there is no part " + immure::quoted(part);
    if (!wrong.empty()) return;
    Item seen;
    seen.times = number(from, "times");
    seen.first = number(from, "first");
    seen.uses = uses(*list);
    for (const Json& run : *runs)
      if (run.is_number_unsigned() && run.get<uint64_t>() < 64)
        seen.runs |= uint64_t{1} << run.get<uint64_t>();
    if (from.contains("note")) seen.note = text(from, "note");
    if (needs.of(static_cast<Part>(at)).size() < Needs::kMost)
      needs.of(static_cast<Part>(at)).emplace(std::move(name), std::move(seen));
  }
};

}  // namespace

std::string needs_json(const Needs& needs) {
  JsonWriter json;
  json.begin_object().text("schema", kSchema).begin_array("command");
  for (const std::string& word : needs.command) json.text({}, printable(word));
  json.end_array().text("cwd", printable(needs.cwd)).boolean("net", needs.net);
  json.number("runs", needs.runs).number("events", static_cast<int64_t>(needs.events));
  json.number("lost", static_cast<int64_t>(needs.lost)).number("beyond", static_cast<int64_t>(needs.beyond));
  json.begin_object("peaks").number("memory", static_cast<int64_t>(needs.peaks.memory));
  json.number("processes", static_cast<int64_t>(needs.peaks.processes));
  json.number("descriptors", static_cast<int64_t>(needs.peaks.descriptors));
  json.number("file_size", static_cast<int64_t>(needs.peaks.file_size));
  json.number("wall_ns", static_cast<int64_t>(needs.peaks.wall_ns)).end_object().begin_array("items");
  for (int part = 0; part < kPartCount; ++part)
    for (const auto& [name, item] : needs.of(static_cast<Part>(part)))
      write_item(json, static_cast<Part>(part), name, item);
  json.end_array().end_object();
  return json.str() + "\n";
}

Result<Needs> parse_needs(std::string_view text, std::string_view shown_as) {
  auto bad = [&](std::string why) {
    return fail(Code::kBadValue, immure::quoted(shown_as) + " holds nothing that was learned", std::move(why),
                "immure learn --save FILE writes one");
  };
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return bad("it is no JSON object");
  auto schema = json.find("schema");
  if (schema == json.end() || *schema != kSchema) return bad("its schema is not " + std::string(kSchema));
  Needs needs;
  Reader reader;
  auto command = json.find("command"), items = json.find("items"), peaks = json.find("peaks"),
       net = json.find("net");
  if (command == json.end() || !command->is_array() || items == json.end() || !items->is_array() ||
      peaks == json.end() || !peaks->is_object() || net == json.end() || !net->is_boolean())
    return bad("command, net, peaks or items is not there");
  for (const Json& word : *command)
    if (word.is_string()) needs.command.push_back(word.get<std::string>());
  needs.cwd = reader.text(json, "cwd");
  needs.net = net->get<bool>();
  needs.runs = static_cast<uint32_t>(std::min<uint64_t>(reader.number(json, "runs"), 1U << 20));
  needs.events = reader.number(json, "events");
  needs.lost = reader.number(json, "lost");
  needs.beyond = reader.number(json, "beyond");
  needs.peaks = {reader.number(*peaks, "memory"), reader.number(*peaks, "processes"),
                 reader.number(*peaks, "descriptors"), reader.number(*peaks, "file_size"),
                 reader.number(*peaks, "wall_ns")};
  for (const Json& item : *items) {
    if (!item.is_object()) return bad("an item is no object");
    reader.item(item, needs);
    if (!reader.wrong.empty()) break;
  }
  if (!reader.wrong.empty()) return bad(reader.wrong);
  return needs;
}

}  // namespace immure::learn
