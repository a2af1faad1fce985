// What tests ask of documents: tags that close, a JSON document that fits its published schema.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace immure::documents {

using Json = nlohmann::json;

inline size_t times(std::string_view text, std::string_view part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) ++n;
  return n;
}

// What is not right with tags and entities, as far as both XML and these pages go; empty: nothing.
inline std::string markup_fault(std::string_view text, const std::set<std::string_view>& alone) {
  std::vector<std::string> open;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '&') {
      size_t end = text.find(';', at);
      if (end == std::string_view::npos || end - at > 7) return "a bare &";
    }
    if (text[at] == '>') return "a bare >";
    if (text[at] != '<') continue;
    size_t end = at + 1;
    for (char quote = '\0'; end < text.size() && (quote != '\0' || text[end] != '>'); ++end) {
      if (text[end] == '<') return "< in a tag";
      if (quote != '\0' && text[end] == quote)
        quote = '\0';
      else if (quote == '\0' && text[end] == '"')
        quote = '"';
    }
    if (end == text.size()) return "a tag without an end";
    std::string_view tag = text.substr(at + 1, end - at - 1);
    at = end;
    std::string_view name = tag.substr(0, tag.find_first_of(" />", 1));
    if (tag.starts_with('!') || tag.starts_with('?') || tag.ends_with('/') || alone.contains(name)) continue;
    if (!tag.starts_with('/')) {
      open.emplace_back(name);
    } else if (open.empty() || "/" + open.back() != tag) {
      return "</" + std::string(tag.substr(1)) + "> closes " + (open.empty() ? "nothing" : open.back());
    } else {
      open.pop_back();
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> stays open";
}

// As much of JSON Schema as the schema uses. Every key has to be described, though the schema itself lets
// others pass.
inline void check(const Json& schema, const Json& root, const Json& value, const std::string& at,
                  std::vector<std::string>& faults) {
  if (schema.contains("$ref")) {
    const std::string name = schema["$ref"].get<std::string>().substr(std::string("#/$defs/").size());
    return check(root["$defs"].at(name), root, value, at, faults);
  }
  const std::string type = schema.value("type", "");
  const bool fits = type == "object"    ? value.is_object()
                    : type == "array"   ? value.is_array()
                    : type == "string"  ? value.is_string()
                    : type == "integer" ? value.is_number_integer()
                    : type == "boolean" ? value.is_boolean()
                                        : false;
  if (!fits) return faults.push_back(at + " is no " + type);
  if (schema.contains("const") && schema["const"] != value)
    faults.push_back(at + " is not " + schema["const"].dump());
  if (schema.contains("enum") &&
      std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
    faults.push_back(at + " is none of " + schema["enum"].dump());
  if (schema.contains("minimum") && value < schema["minimum"]) faults.push_back(at + " is too small");
  for (const Json& key : schema.value("required", Json::array()))
    if (!value.contains(key.get<std::string>())) faults.push_back(at + " lacks " + key.get<std::string>());
  if (value.is_object())
    for (const auto& [key, part] : value.items()) {
      if (schema["properties"].contains(key))
        check(schema["properties"][key], root, part, at + "/" + key, faults);
      else
        faults.push_back(at + "/" + key + " is not described");
    }
  if (value.is_array())
    for (size_t i = 0; i < value.size(); ++i)
      check(schema["items"], root, value[i], at + "/" + std::to_string(i), faults);
}

inline std::vector<std::string> schema_faults(const Json& schema, const Json& document) {
  std::vector<std::string> faults;
  check(schema, schema, document, "", faults);
  return faults;
}

// Without the style, which has brackets of its own.
inline std::string without_style(std::string page) {
  size_t from = page.find("<style>"), to = page.find("</style>");
  return page.erase(from, to + 8 - from);
}

}  // namespace immure::documents
