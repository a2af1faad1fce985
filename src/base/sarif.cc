#include "base/sarif.h"

#include "base/text.h"

namespace immure::sarif {
namespace {

// A reader makes a link of "[words](target)" in a message: no jail's word becomes one.
std::string plain(std::string_view text) {
  std::string out;
  for (char c : printable(text)) {
    if (c == '(' && out.ends_with(']')) out += ' ';
    out += c;
  }
  return out;
}

void message(JsonWriter& json, std::string_view key, std::string_view text) {
  json.begin_object(key).text("text", plain(text)).end_object();
}

void words(JsonWriter& json, const Words& properties) {
  for (const auto& [key, value] : properties) json.text(key, plain(value));
}

// A path as a reference: what is no plain letter, digit or mark of a name is %XX (RFC 3986).
std::string as_uri(std::string_view path) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/+@=,";
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out = path.starts_with('/') ? "file://" : "";
  for (char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (kPlain.find(c) != std::string_view::npos)
      out += c;
    else
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

void rule_object(JsonWriter& json, const Rule& rule) {
  json.begin_object().text("id", rule.id);
  message(json, "shortDescription", rule.title);
  message(json, "fullDescription", rule.about);
  message(json, "help", rule.help);
  json.begin_object("defaultConfiguration").text("level", rule.level).end_object();
  json.begin_object("properties").text("category", rule.category);
  words(json, rule.properties);
  json.begin_array("tags");
  for (const std::string& tag : rule.tags) json.text({}, tag);
  json.end_array().end_object().end_object();
}

void result_object(JsonWriter& json, const Run& run, const Result& result) {
  json.begin_object().text("ruleId", run.rules[result.rule].id);
  json.number("ruleIndex", static_cast<int64_t>(result.rule)).text("level", result.level);
  message(json, "message", result.message);
  json.begin_array("locations").begin_object();
  if (!result.file.empty())
    json.begin_object("physicalLocation")
        .begin_object("artifactLocation")
        .text("uri", as_uri(result.file))
        .end_object()
        .end_object();
  json.begin_array("logicalLocations").begin_object();
  json.text("name", plain(result.name)).text("fullyQualifiedName", plain(result.full_name));
  json.text("kind", "object").end_object().end_array().end_object().end_array();
  json.begin_object("partialFingerprints").text(result.fingerprint_kind, result.fingerprint).end_object();
  if (!result.suppressed.empty())
    json.begin_array("suppressions")
        .begin_object()
        .text("kind", "external")
        .text("justification", plain(result.suppressed))
        .end_object()
        .end_array();
  json.begin_object("properties");
  words(json, result.properties);
  json.end_object().end_object();
}

}  // namespace

std::string document(const Run& run) {
  JsonWriter json;
  json.begin_object();
  json.text("$schema",
            "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json");
  json.text("version", "2.1.0").begin_array("runs").begin_object();
  json.begin_object("tool").begin_object("driver");
  json.text("name", run.tool).text("version", IMMURE_VERSION).text("semanticVersion", IMMURE_VERSION);
  json.begin_array("rules");
  for (const Rule& rule : run.rules) rule_object(json, rule);
  json.end_array().end_object().end_object();
  json.begin_array("invocations").begin_object().boolean("executionSuccessful", true);
  if (!run.notes.empty()) {
    json.begin_array("toolExecutionNotifications");
    for (const std::string& note : run.notes) {
      json.begin_object().text("level", "note");
      message(json, "message", note);
      json.end_object();
    }
    json.end_array();
  }
  json.end_object().end_array().begin_array("results");
  for (const Result& result : run.results) result_object(json, run, result);
  json.end_array().begin_object("properties");
  words(json, run.properties);
  json.begin_object("counts");
  for (const auto& [key, value] : run.counts) json.number(key, value);
  json.end_object().end_object().end_object().end_array().end_object();
  return json.str() + "\n";
}

}  // namespace immure::sarif
