#include "run/report.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

namespace immure::run {
namespace {

const char* colour_of(State state) {
  switch (state) {
    case State::InForce: return "\033[32m";
    case State::Weaker: return "\033[33m";
    case State::Missing: case State::Failed: return "\033[31m";
    case State::Off: return "\033[35m";
  }
  return "";
}

std::string padded(std::string text, size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::string micros(uint64_t from, uint64_t to) { return num(to > from ? (to - from) / 1000 : 0); }

struct Phase {
  const char* name;
  uint64_t Timings::*from;
  uint64_t Timings::*to;
};
constexpr Phase kPhases[] = {
    {"words, host, plan", &Timings::started, &Timings::begun},
    {"descriptors, control groups", &Timings::begun, &Timings::groups},
    {"clone with its namespaces", &Timings::groups, &Timings::cloned},
    {"id maps", &Timings::cloned, &Timings::mapped},
    {"trees of files", &Timings::mapped, &Timings::sources},
    {"set-up inside, up to the gate", &Timings::sources, &Timings::gate},
    {"verification", &Timings::gate, &Timings::verified},
    {"filter and exec", &Timings::verified, &Timings::running},
};

void optional_number(JsonWriter& json, const char* key, const std::optional<uint64_t>& value) {
  if (value) json.number(key, static_cast<int64_t>(*value));
}

void usage_json(JsonWriter& json, const CgroupUsage& usage) {
  json.begin_object("cgroup");
  optional_number(json, "cpu_ns", usage.cpu_ns);
  optional_number(json, "throttled_ns", usage.throttled_ns);
  optional_number(json, "memory_peak", usage.memory_peak);
  optional_number(json, "memory_limit_hits", usage.memory_limit_hits);
  optional_number(json, "oom_kills", usage.oom_kills);
  optional_number(json, "pids_peak", usage.pids_peak);
  optional_number(json, "pids_limit_hits", usage.pids_limit_hits);
  optional_number(json, "io_read", usage.io_read);
  optional_number(json, "io_written", usage.io_written);
  json.end_object();
}

}  // namespace

int Outcome::exit_status() const {
  if (killed_by == EndedBy::WallTime) return 124;
  if (WIFSIGNALED(wait_status)) return 128 + WTERMSIG(wait_status);
  if (killed_by != EndedBy::Itself && !WIFEXITED(wait_status)) return 128 + SIGKILL;
  return WEXITSTATUS(wait_status);
}

const char* text(EndedBy by) {
  switch (by) {
    case EndedBy::Itself: return "";
    case EndedBy::MemoryLimit: return "memory limit";
    case EndedBy::WallTime: return "time limit";
    case EndedBy::CpuTime: return "processor time limit";
    case EndedBy::PidsLimit: return "process limit";
    case EndedBy::Supervisor: return "supervisor";
  }
  return "";
}

bool use_colour(int fd) {
  const char* force = getenv("CLICOLOR_FORCE");
  if (force != nullptr && *force != '\0' && *force != '0') return true;
  const char* none = getenv("NO_COLOR");
  const char* term = getenv("TERM");
  if ((none != nullptr && *none != '\0') || (term != nullptr && std::string_view(term) == "dumb")) return false;
  return isatty(fd) == 1;
}

std::string layers_text(const Plan& plan, bool colour) {
  std::string out;
  for (int i = 0; i < kLayerCount; i++) {
    const LayerPlan& layer = plan.layers[static_cast<size_t>(i)];
    auto which = static_cast<Layer>(i);
    std::string state = padded(name(layer.state), 9);
    if (colour) state = colour_of(layer.state) + state + "\033[0m";
    std::string detail = layer.state == State::InForce || layer.reason.empty() ? layer.mechanism : layer.reason;
    if (layer.state == State::Weaker && !layer.mechanism.empty()) detail = layer.mechanism + " (" + layer.reason + ")";
    out += "  " + padded(name(which), 22) + state + " " + detail + "\n";
  }
  for (const std::string& sentence : plan.weakened) out += "  weakened: " + sentence + "\n";
  return out;
}

void layers_json(JsonWriter& json, const Plan& plan) {
  json.begin_array("layers");
  for (int i = 0; i < kLayerCount; i++) {
    const LayerPlan& layer = plan.layers[static_cast<size_t>(i)];
    json.begin_object();
    json.text("layer", key(static_cast<Layer>(i)));
    json.text("need", key(layer.need));
    json.text("state", name(layer.state));
    if (!layer.mechanism.empty()) json.text("mechanism", layer.mechanism);
    if (!layer.reason.empty()) json.text("reason", layer.reason);
    json.end_object();
  }
  json.end_array();
  json.begin_array("weakened");
  for (const std::string& sentence : plan.weakened) json.text({}, sentence);
  json.end_array();
}

std::string timings_text(const Plan& plan, const Timings& timings) {
  std::string out = "immure: timings (microseconds)\n";
  for (const Phase& phase : kPhases)
    out += "  " + padded(phase.name, 36) + micros(timings.*phase.from, timings.*phase.to) + "\n";
  out += "  " + padded("total", 36) + micros(timings.started, timings.running) + "\n";
  // A step's time is the distance to the one before it on the same side.
  std::vector<std::pair<uint64_t, size_t>> slow;
  uint64_t last[4] = {timings.mapped, timings.cloned, timings.verified, timings.verified};
  for (size_t i = 0; i < timings.steps.size(); i++) {
    if (timings.steps[i] == 0) continue;
    auto side = static_cast<size_t>(plan.steps[i].side);
    slow.emplace_back(timings.steps[i] - std::min(last[side], timings.steps[i]), i);
    last[side] = timings.steps[i];
  }
  std::sort(slow.rbegin(), slow.rend());
  for (size_t i = 0; i < std::min<size_t>(slow.size(), 12); i++) {
    const Step& step = plan.steps[slow[i].second];
    out += "  step " + padded(num(slow[i].second), 4) + padded(name(step.op), 34) + padded(num(slow[i].first / 1000), 6) +
           plan.text(step.s) + "\n";
  }
  return out;
}

void timings_json(JsonWriter& json, const Plan& plan, const Timings& timings) {
  json.begin_object("timings_us");
  for (const Phase& phase : kPhases)
    json.number(phase.name, static_cast<int64_t>((timings.*phase.to - timings.*phase.from) / 1000));
  json.number("total", static_cast<int64_t>((timings.running - timings.started) / 1000));
  json.end_object();
  if (timings.steps.empty()) return;
  json.begin_array("steps");
  for (size_t i = 0; i < timings.steps.size(); i++) {
    json.begin_object();
    json.text("op", name(plan.steps[i].op));
    json.text("object", plan.text(plan.steps[i].s));
    json.number("at_ns", timings.steps[i] == 0 ? -1 : static_cast<int64_t>(timings.steps[i] - timings.begun));
    json.end_object();
  }
  json.end_array();
}

std::vector<std::string> appeared(const Plan& plan) {
  std::vector<std::string> out;
  for (const std::string& place : plan.unguarded)
    if (struct stat st; lstat(place.c_str(), &st) == 0) out.push_back(place);
  for (const auto& [place, device, inode] : plan.guarded) {
    struct stat st;
    if (lstat(place.c_str(), &st) != 0) continue;
    uint64_t now = uint64_t{major(st.st_dev)} << 32 | minor(st.st_dev);
    if (now != device || st.st_ino != inode) out.push_back(place);
  }
  return out;
}

std::string appeared_text(const std::vector<std::string>& places) {
  if (places.empty()) return {};
  std::string out = "immure: made during the run or exchanged by somebody outside, and so not guarded in the jail:";
  for (const std::string& place : places) out += " " + quoted(place);
  return out +
         "\n  why: what was to be read-only or hidden there was as the folder around it\n  how: look into it before you work "
         "there\n";
}

std::string recorded_text(const Opened& opened) {
  std::string out = num(opened.size()) + " paths that were asked for are recorded";
  if (opened.unread() != 0) out += "; of " + num(opened.unread()) + " calls the path could not be read";
  if (opened.beyond() != 0) out += "; for those of " + num(opened.beyond()) + " calls there was no room left";
  return out;
}

std::string run_json(const RunReport& report) {
  const Outcome& outcome = report.outcome;
  JsonWriter json;
  json.begin_object();
  json.text("schema", "immure.run/1");
  json.text("name", report.spec.name);
  json.begin_object("result");
  json.number("exit_status", outcome.exit_status());
  if (WIFSIGNALED(outcome.wait_status))
    json.number("signal", WTERMSIG(outcome.wait_status));
  else
    json.null("signal");
  if (outcome.killed_by == EndedBy::Itself)
    json.null("killed_by");
  else
    json.text("killed_by", text(outcome.killed_by));
  json.end_object();
  json.begin_object("usage");
  json.number("wall_ns", static_cast<int64_t>(outcome.wall_ns));
  json.number("user_us", static_cast<int64_t>(outcome.user_us));
  json.number("system_us", static_cast<int64_t>(outcome.system_us));
  json.number("max_rss_kb", static_cast<int64_t>(outcome.max_rss_kb));
  usage_json(json, outcome.usage);
  json.end_object();
  layers_json(json, report.plan);
  json.begin_array("appeared");
  for (const std::string& place : report.appeared) json.text({}, place);
  json.end_array();
  if (report.opened != nullptr) {
    json.begin_object("recorded").text("file", report.spec.record_files.value);
    json.number("files", static_cast<int64_t>(report.opened->size()));
    json.number("unread", static_cast<int64_t>(report.opened->unread()));
    json.number("beyond", static_cast<int64_t>(report.opened->beyond())).end_object();
  }
  timings_json(json, report.plan, report.timings);
  std::string text = json.end_object().str();
  if (!report.denied_json.empty()) {
    text.pop_back();
    text += ",\"denied\":" + report.denied_json + "}";
  }
  return text;
}

}  // namespace immure::run
