// The JSON schema of a profile, from the option table: editors complete and check with it.
#include <string>

#include "base/text.h"
#include "input/profile.h"

namespace immure {
namespace {

void types(JsonWriter& json, std::initializer_list<std::string_view> names) {
  json.begin_array("type");
  for (std::string_view name : names) json.text("", name);
  json.end_array();
}

void value_of(JsonWriter& json, const Option& option) {
  if (option.takes == Takes::Nothing) {
    json.text("type", "boolean");
  } else if (option.takes == Takes::Optional) {
    types(json, {"string", "boolean"});
  } else {
    types(json, {"string", "number"});
  }
}

// A table whose keys are known, or (for variables) free.
void known_keys(JsonWriter& json, std::span<const std::string_view> keys, void (*shape)(JsonWriter&)) {
  json.text("type", "object").boolean("additionalProperties", false).begin_object("properties");
  for (std::string_view key : keys) {
    json.begin_object(key);
    shape(json);
    json.end_object();
  }
  json.end_object();
}

void table_form(JsonWriter& json, std::string_view name) {
  std::vector<std::string_view> keys;
  json.begin_object();
  if (name == "env") {
    json.text("type", "object").begin_object("additionalProperties");
    types(json, {"string", "number", "boolean"});
    json.end_object();
  } else if (name == "need") {
    for (int i = 0; i < kLayerCount; ++i) keys.emplace_back(key(static_cast<Layer>(i)));
    known_keys(json, keys, [](JsonWriter& out) {
      out.begin_array("enum");
      for (Need need : {Need::Require, Need::Prefer, Need::Off}) out.text("", key(need));
      out.end_array();
    });
  } else {
    for (int i = 0; i < kWeakenCount; ++i) keys.emplace_back(key(static_cast<Weaken>(i)));
    known_keys(json, keys, [](JsonWriter& out) { out.text("type", "boolean"); });
  }
  json.end_object();
}

void option_schema(JsonWriter& json, const Option& option) {
  json.begin_object(option.name);
  std::string help(option.help);
  if (!option.value.empty()) help = std::string(option.value) + ": " + help;
  json.text("description", help);
  bool table = option.name == "env" || option.name == "need" || option.name == "weaken";
  if (!option.repeats) {
    value_of(json, option);
    json.end_object();
    return;
  }
  json.begin_array("anyOf");
  json.begin_object();
  value_of(json, option);
  json.end_object();
  json.begin_object().text("type", "array").begin_object("items");
  value_of(json, option);
  json.end_object().end_object();
  if (table) table_form(json, option.name);
  json.end_array().end_object();
}

// One key or bracket a line, two blanks a level: the file is read by people and by git.
std::string indented(std::string_view compact) {
  std::string out;
  size_t depth = 0;
  bool in_text = false;
  auto line = [&] { out += "\n" + std::string(depth * 2, ' '); };
  for (size_t i = 0; i < compact.size(); ++i) {
    char c = compact[i];
    if (c == '"' && (i == 0 || compact[i - 1] != '\\')) in_text = !in_text;
    bool opens = !in_text && (c == '{' || c == '['), closes = !in_text && (c == '}' || c == ']');
    if (closes) {
      --depth;
      line();
    }
    out += c;
    if (opens) ++depth;
    if (opens || (!in_text && c == ',')) line();
    if (!in_text && c == ':') out += ' ';
  }
  return out + "\n";
}

}  // namespace

std::string profile_schema() {
  JsonWriter json;
  json.begin_object()
      .text("$schema", "https://json-schema.org/draft/2020-12/schema")
      .text("title", "immure profile")
      .text("description",
            "What a jail grants and limits. Lists replace what is extended; entries with + or - change it.")
      .text("type", "object")
      .boolean("additionalProperties", false)
      .begin_object("properties");
  json.begin_object("$schema").text("type", "string").end_object();
  json.begin_object("description").text("type", "string").end_object();
  json.begin_object("extends").begin_array("anyOf");
  json.begin_object().text("type", "string").end_object();
  json.begin_object()
      .text("type", "array")
      .begin_object("items")
      .text("type", "string")
      .end_object()
      .end_object();
  json.end_array().end_object();
  json.begin_object("limits")
      .text("type", "object")
      .boolean("additionalProperties", false)
      .begin_object("properties");
  for (const Option& option : options()) {
    if (option.group == OptionGroup::Limits) option_schema(json, option);
  }
  json.end_object().end_object();
  for (const Option& option : options()) {
    if (option.apply != nullptr) option_schema(json, option);
  }
  json.end_object().end_object();
  return indented(json.str());
}

}  // namespace immure
