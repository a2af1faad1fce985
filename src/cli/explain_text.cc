#include "base/text.h"
#include "cli/explain.h"
#include "cli/page.h"
#include "input/policy.h"
#include "run/report.h"

namespace immure::cli {
namespace {

constexpr size_t kNumber = 4, kCall = 30;

std::string padded(std::string text, size_t width) {
  text.append(text.size() < width ? width - text.size() : 1, ' ');
  return text;
}

// "  12  fsmount                       nosuid,nodev  (pivoted root)"
std::string step_line(const Plan& plan, size_t number, const Step& step) {
  std::string digits = num(number);
  std::string line = std::string(kNumber - std::min(kNumber, digits.size()), ' ') + digits + "  ";
  line += padded(name(step.op), kCall);
  std::string object = printable(step_object(plan, step));
  return line + object + (object.empty() ? "" : "  ") + "(" + name(step.layer) + ")\n";
}

struct Stage {
  Side side;
  const char* heading;
};

// The numbers are places in the plan: the same that an error cites and --timings shows.
std::string steps_of(const Plan& plan, const Stage& stage) {
  std::string out;
  for (size_t i = 0; i < plan.steps.size(); i++)
    if (plan.steps[i].side == stage.side) out += step_line(plan, i, plan.steps[i]);
  return out.empty() ? out : std::string(stage.heading) + "\n" + out;
}

std::string id_maps(const std::vector<IdMap>& map) {
  std::string out;
  for (const IdMap& one : map)
    out += (out.empty() ? "" : ", ") + num(one.inside) + (one.count > 1 ? "…" + num(one.inside + one.count - 1) : "") +
           " is " + num(one.outside) + (one.count > 1 ? "…" + num(one.outside + one.count - 1) : "") + " outside";
  return out;
}

std::string parents_part(const Plan& plan) {
  std::string out;
  for (const CgroupDir& dir : plan.cgroup) {
    out += "      " + padded("mkdir", kCall) + printable(dir.path) + "  (control group)\n";
    for (const auto& [file, value] : dir.writes)
      out += "      " + padded("write", kCall) + (file[0] == '?' ? file.substr(1) : file) + " = " + value + "  (control group)\n";
  }
  out += "      " + padded("clone3", kCall) + namespace_names(plan.clone_flags) + "\n";
  if (!plan.uid_map.empty()) {
    out += "      " + padded("write(uid_map)", kCall) + "user " + id_maps(plan.uid_map) + "  (user namespace)\n";
    out += "      " + padded("write(gid_map)", kCall) + "group " + id_maps(plan.gid_map) + "  (user namespace)\n";
  }
  return out;
}

void show_limits(Page& page, const Plan& plan) {
  page.heading("Limits");
  for (const CgroupDir& dir : plan.cgroup)
    for (const auto& [file, value] : dir.writes)
      page.pair(dir.controller, (file[0] == '?' ? file.substr(1) + " (if there)" : file) + " = " + value);
  if (plan.supervisor_sums && plan.memory_limit != 0)
    page.pair("memory", format_size(plan.memory_limit) + ", summed by the supervisor");
  if (plan.supervisor_sums && plan.pids_limit != 0)
    page.pair("processes", num(plan.pids_limit) + ", summed by the supervisor");
  for (const Step& step : plan.steps)
    if (step.op == Op::Rlimit) page.pair("one process", step_object(plan, step));
  if (plan.wall_limit_ns != 0) page.pair("wall time", format_duration(plan.wall_limit_ns));
  if (plan.cpu_time_limit_ns != 0) page.pair("processor time", format_duration(plan.cpu_time_limit_ns));
}

void show_unguarded(Page& page, const Plan& plan) {
  if (plan.unguarded.empty()) return;
  page.heading("Not read-only, since it is not there: the program could make it");
  for (const std::string& place : plan.unguarded) page.line(place);
}

// A value of the environment is nobody's business; that it was set is.
void show_origins(Page& page, const JailSpec& spec) {
  std::vector<PolicyValue> values = policy_values(spec, nullptr);
  if (values.empty()) return;
  page.heading("Said, and where");
  for (const PolicyValue& value : values) {
    std::string key = value.table.empty() ? value.key : std::string(value.table) + "." + value.key;
    for (size_t i = 0; i < value.values.size(); i++)
      page.pair(key, (value.table == "env" ? std::string("set") : value.values[i]) + "  — " + value.origins[i]);
  }
}

}  // namespace

const char* name(Side side) {
  switch (side) {
    case Side::Parent: return "parent";
    case Side::Child: return "pid1";
    case Side::AfterGate: return "pid1-after-gate";
    case Side::Payload: return "program";
  }
  return "";
}

std::vector<std::string_view> environment_names(const Plan& plan) {
  std::vector<std::string_view> names;
  for (uint32_t offset : plan.env) {
    std::string_view entry = plan.text(offset);
    names.push_back(entry.substr(0, entry.find('=')));
  }
  return names;
}

std::string explain_text(const Explained& what, bool colour) {
  const Plan& plan = what.plan;
  Page page(colour);
  page.heading("Nothing was run. This is what immure run would do.");
  std::string command;
  for (const std::string& word : what.spec.argv) command += (command.empty() ? "" : " ") + word;
  page.pair("command", command);
  page.pair("jail", what.spec.name);
  page.pair("identity", "user " + num(plan.inside_uid) + ", group " + num(plan.inside_gid) + " inside; user " +
                            num(plan.outside_uid) + ", group " + num(plan.outside_gid) + " outside");
  std::string environment;
  for (std::string_view one : environment_names(plan)) environment += (environment.empty() ? "" : " ") + std::string(one);
  page.pair("environment", environment);
  std::string kept;
  for (int fd : plan.kept_fds) kept += " " + num_signed(fd);
  page.pair("descriptors", "0 1 2" + kept);
  page.heading("Layers");
  std::string out = page.str() + run::layers_text(plan, colour);
  Page rest(colour);
  rest.blank();
  show_limits(rest, plan);
  show_unguarded(rest, plan);
  show_origins(rest, what.spec);
  rest.heading("Steps");
  out += rest.str().substr(1);
  out += "outside, around the clone\n" + parents_part(plan);
  out += steps_of(plan, {Side::Parent, "outside, while pid 1 begins"});
  out += steps_of(plan, {Side::Child, "pid 1 of the jail"});
  out += "the gate: outside, pid 1 is compared with this plan; pid 1 waits\n";
  out += steps_of(plan, {Side::AfterGate, "pid 1, when all is as planned"});
  out += steps_of(plan, {Side::Payload, "the process that becomes the program"});
  return out;
}

}  // namespace immure::cli
