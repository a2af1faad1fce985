#include "cli/explain.h"
#include "input/policy.h"
#include "run/report.h"

namespace immure::cli {
namespace {

void map_json(JsonWriter& json, std::string_view key, const std::vector<IdMap>& map) {
  json.begin_array(key);
  for (const IdMap& one : map)
    json.begin_object().number("inside", one.inside).number("outside", one.outside).number("count", one.count).end_object();
  json.end_array();
}

void identity_json(JsonWriter& json, const Plan& plan) {
  json.begin_object("identity");
  json.number("inside_uid", plan.inside_uid).number("inside_gid", plan.inside_gid);
  json.number("outside_uid", plan.outside_uid).number("outside_gid", plan.outside_gid);
  map_json(json, "uid_map", plan.uid_map);
  map_json(json, "gid_map", plan.gid_map);
  json.end_object();
}

void cgroup_json(JsonWriter& json, const Plan& plan) {
  json.begin_array("cgroup");
  for (const CgroupDir& dir : plan.cgroup) {
    json.begin_object().text("path", dir.path).text("controller", dir.controller).begin_object("writes");
    for (const auto& [file, value] : dir.writes) json.text(file[0] == '?' ? file.substr(1) : file, value);
    json.end_object().end_object();
  }
  json.end_array();
}

void steps_json(JsonWriter& json, const Explained& what) {
  json.begin_array("steps");
  for (size_t i = 0; i < what.plan.steps.size(); i++) {
    const Step& step = what.plan.steps[i];
    json.begin_object().number("number", static_cast<int64_t>(i)).text("side", name(step.side));
    json.text("call", name(step.op)).text("object", step_object(what.plan, step)).text("layer", key(step.layer));
    std::string origin = what.spec.origin_text(step.origin);
    if (!origin.empty()) json.text("origin", origin);
    json.end_object();
  }
  json.end_array();
}

void said_json(JsonWriter& json, const JailSpec& spec) {
  json.begin_array("said");
  for (const PolicyValue& value : policy_values(spec, nullptr)) {
    std::string path = value.table.empty() ? value.key : std::string(value.table) + "." + value.key;
    for (size_t i = 0; i < value.values.size(); i++) {
      json.begin_object().text("key", path);
      if (value.table != "env") json.text("value", value.values[i]);
      json.text("origin", value.origins[i]).end_object();
    }
  }
  json.end_array();
}

}  // namespace

std::string explain_json(const Explained& what) {
  const Plan& plan = what.plan;
  JsonWriter json;
  json.begin_object().text("schema", "immure.explain/1").text("name", what.spec.name);
  json.begin_array("command");
  for (const std::string& word : what.spec.argv) json.text({}, word);
  json.end_array();
  identity_json(json, plan);
  json.text("namespaces", namespace_names(plan.clone_flags | plan.unshare_flags));
  json.begin_array("environment");
  for (std::string_view one : environment_names(plan)) json.text({}, one);
  json.end_array();
  json.begin_array("descriptors");
  for (int fd : {0, 1, 2}) json.number({}, fd);
  for (int fd : plan.kept_fds) json.number({}, fd);
  json.end_array();
  run::layers_json(json, plan);
  cgroup_json(json, plan);
  json.begin_object("summed");
  if (plan.supervisor_sums && plan.memory_limit != 0)
    json.number("memory", static_cast<int64_t>(plan.memory_limit));
  if (plan.supervisor_sums && plan.pids_limit != 0)
    json.number("pids", static_cast<int64_t>(plan.pids_limit));
  json.end_object();
  json.begin_array("unguarded");
  for (const std::string& place : plan.unguarded) json.text({}, place);
  json.end_array();
  said_json(json, what.spec);
  steps_json(json, what);
  json.end_object();
  return json.str() + "\n";
}

}  // namespace immure::cli
