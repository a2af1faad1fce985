#include <set>

#include "audit/remedies.h"
#include "audit/report.h"
#include "audit/score.h"
#include "base/result.h"
#include "base/text.h"

namespace immure::audit {
namespace {

void lines(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts) {
  json.begin_array(key);
  for (const std::string& text : texts) json.text({}, printable(text));
  json.end_array();
}

void rule_row(JsonWriter& json, const Rule& rule) {
  json.begin_object()
      .text("id", rule.id)
      .text("look", key(rule.look))
      .text("severity", key(rule.severity))
      .text("concern", key(rule.concern))
      .text("point", key(rule.point))
      .text("title", rule.title)
      .text("why", rule.why)
      .text("fix", lasting_fix(rule))
      .text("advice", rule.advice);
  json.begin_array("remedies");
  for (const Remedy& one : remedies())
    if (std::string_view(one.rule) == rule.id)
      json.begin_object()
          .text("for", key(one.way))
          .text("words", one.text)
          .boolean("as_it_is", one.as_it_is)
          .end_object();
  json.end_array();
  lines(json, "references", references(rule));
  json.boolean("mended_by_fix", rule.mend != Mend::None);
  json.begin_array("predicts");
  for (std::string_view word : split(rule.predicts, ' '))
    if (!word.empty()) json.text({}, word);
  json.end_array().end_object();
}

void score_object(JsonWriter& json, const Score& score) {
  json.begin_object("score").number("value", score.value).number("sum", score.sum);
  if (!score.cap.empty()) json.text("cap", score.cap);
  json.begin_array("points");
  for (const PointScore& one : score.points) {
    json.begin_object()
        .text("point", key(one.point))
        .number("rung", top(rung(one.point)))
        .number("weight", one.weight)
        .number("earned", one.earned)
        .number("checked", static_cast<int64_t>(one.checked))
        .number("unknown", static_cast<int64_t>(one.unknown))
        .number("not_asked", static_cast<int64_t>(one.not_asked));
    if (one.worst) json.text("worst", key(*one.worst));
    json.text("why", one.why).end_object();
  }
  json.end_array().begin_object("battery");
  json.number("weight", kBatteryWeight).number("earned", score.battery).text("why", score.battery_why);
  json.end_object().end_object();
}

void finding_object(JsonWriter& json, const Audit& audit, size_t at) {
  const Finding& finding = audit.answers.findings()[at];
  json.begin_object()
      .text("rule", finding.rule->id)
      .text("severity", key(finding.severity))
      .text("concern", key(finding.rule->concern))
      .text("title", finding.rule->title)
      .text("where", printable(finding.where));
  if (!finding.path.empty()) json.text("path", printable(finding.path));
  json.text("evidence", printable(finding.evidence));
  const std::string fix = fix_command(finding, audit.target), words = remedy_text(finding, audit.target);
  if (!fix.empty() || finding.rule->fix[0] != '\0') json.text("fix", printable(fix));
  if (!words.empty() && !finding.by_hand) json.text("setting", printable(words));
  if (const Acceptance* by = accepted(audit, at); by != nullptr) {
    json.begin_object("accepted").text("reason", printable(by->reason));
    if (!by->until.empty()) json.text("until", by->until);
    json.end_object();
  }
  json.end_object();
}

void battery_object(JsonWriter& json, const Battery& battery) {
  json.begin_object("battery")
      .text("against", printable(battery.against))
      .number("attacks", static_cast<int64_t>(battery.attacks))
      .number("blocked", static_cast<int64_t>(battery.blocked))
      .number("exposed", static_cast<int64_t>(battery.exposed))
      .number("unsure", static_cast<int64_t>(battery.unsure));
  lines(json, "exposed_ids", battery.exposed_ids);
  json.begin_array("escaped");
  for (const Battery::Escape& escape : battery.escaped) {
    json.begin_object()
        .text("id", escape.id)
        .text("category", escape.category)
        .text("technique", escape.technique);
    lines(json, "foretold_by", escape.foretold_by);
    json.end_object();
  }
  json.end_array().end_object();
}

void audit_object(JsonWriter& json, const Audit& audit) {
  json.begin_object().text("kind", audit.target.kind).text("name", printable(audit.target.name));
  if (!audit.target.same.empty()) json.text("same", printable(audit.target.same));
  if (audit.target.pid != 0) json.number("pid", audit.target.pid);
  lines(json, "notes", audit.target.notes);
  const std::vector<const Rule*> all = all_rules();
  if (has_score(audit)) score_object(json, score(audit, all));
  json.begin_object("counts");
  for (int i = kSeverityCount; i-- > 0;) {
    int64_t n = 0;
    for (size_t f = 0; f < audit.answers.findings().size(); ++f)
      if (audit.answers.findings()[f].severity == static_cast<Severity>(i) && accepted(audit, f) == nullptr)
        ++n;
    json.number(key(static_cast<Severity>(i)), n);
  }
  json.number("accepted", static_cast<int64_t>(audit.accepted.size())).end_object();
  json.begin_array("findings");
  for (size_t at : by_severity(audit)) finding_object(json, audit, at);
  json.end_array().begin_array("checked");
  const std::vector<Outcome> said = outcomes(audit);
  for (const Outcome& one : said)
    if (one.state == Answers::State::Checked) json.text({}, one.rule->id);
  json.end_array().begin_array("unknown");
  for (const Outcome& one : said)
    if (one.state == Answers::State::Unknown)
      json.begin_object().text("rule", one.rule->id).text("why", printable(one.why)).end_object();
  json.end_array();
  if (audit.battery) battery_object(json, *audit.battery);
  if (!audit.no_battery.empty()) json.text("no_battery", printable(audit.no_battery));
  json.end_object();
}

}  // namespace

std::string report_json(const Audits& audits) {
  JsonWriter json;
  json.begin_object()
      .text("schema", "immure.audit/1")
      .text("version", IMMURE_VERSION)
      .text("caller", audits.caller)
      .text("kernel", audits.kernel)
      .text("host", printable(audits.host))
      .text("date", audits.date)
      .text("command", printable(audits.command))
      .number("milliseconds", audits.milliseconds);
  lines(json, "notes", audits.notes);
  json.begin_array("audits");
  for (const Audit& audit : audits.all) audit_object(json, audit);
  // What is known of the rules that found something, once each.
  json.end_array().begin_array("rules");
  std::set<const Rule*> found;
  for (const Audit& audit : audits.all)
    for (const Finding& finding : audit.answers.findings())
      if (found.insert(finding.rule).second) rule_row(json, *finding.rule);
  json.end_array().end_object();
  return json.str() + "\n";
}

std::string list_json(const std::vector<const Rule*>& rules) {
  JsonWriter json;
  json.begin_object().text("schema", "immure.rules/1").begin_array("rules");
  for (const Rule* rule : rules) rule_row(json, *rule);
  json.end_array().end_object();
  return json.str() + "\n";
}

}  // namespace immure::audit
