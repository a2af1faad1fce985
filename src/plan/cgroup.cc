// The control group of the whole jail: memory, processes, processors. One list of directories and writes,
// whatever the version of the hierarchy; where there is none, the supervisor sums and ends (Weaker).
#include <algorithm>

#include "base/text.h"
#include "plan/builder.h"

namespace immure {
namespace {

struct Wanted {
  uint64_t memory = 0, pids = 0;   // 0: no limit
  uint64_t cpus_milli = 0;
  bool cpu_time = false;
};

Wanted wanted(const Builder& b) {
  const Limits& limits = b.spec.limits;
  Wanted w{in_force(limits.memory, b.defaults.memory), in_force(limits.pids, b.defaults.pids),
           in_force(limits.cpus_milli, b.defaults.cpus_milli), limits.cpu_time_ns.value_or(0) != 0};
  if (w.cpus_milli >= uint64_t{1000} * b.host.processors) w.cpus_milli = 0;   // all there are: nothing to hold
  return w;
}

std::string group_name(const Builder& b) { return "immure-" + (b.spec.name.empty() ? num(b.host.pid) : b.spec.name); }

CgroupDir& new_dir(Builder& b, const std::string& parent, const char* controller) {
  CgroupDir dir;
  dir.path = parent + "/" + group_name(b);
  dir.controller = controller;
  b.plan.cgroup.push_back(std::move(dir));
  return b.plan.cgroup.back();
}

void join_by_write(Builder& b, CgroupDir& dir) {
  dir.slot = b.new_slot();
  b.add(Op::CgroupJoin, Side::Child, Layer::Cgroup).a = dir.slot;
}

const std::string* own_v1(const Builder& b, std::string_view controller) {
  for (const auto& entry : b.features.cgroup.v1)
    if (entry.name == controller) return &entry.own_path;
  return nullptr;
}

// In whole pages. The host itself allows all of its own together an eighth of its memory, more or less.
uint64_t tcp_share(uint64_t memory) {
  constexpr uint64_t kLeast = 16 << 20, kPart = 16, kPage = 4096;
  return std::min(memory, std::max(memory / kPart, kLeast)) / kPage * kPage;
}

// What the living have used can be read anywhere; the group knows of the dead as well, whoever waited for them. The
// controller is often one with cpu, under two names.
void count_cpu_time_v1(Builder& b, bool has_cpu_group) {
  const std::string *parent = own_v1(b, "cpuacct"), *cpu = own_v1(b, "cpu");
  if (parent == nullptr) return;
  PathFacts own = b.files.look(*parent, true);
  if (own.kind != PathFacts::Kind::Dir) return;
  b.plan.group_counts_cpu = true;
  if (has_cpu_group && cpu != nullptr) {
    PathFacts other = b.files.look(*cpu, true);
    if (other.device == own.device && other.inode == own.inode) return;
  }
  join_by_write(b, new_dir(b, *parent, "cpuacct"));
}

// Only the controllers that a limit needs: each costs a start some 50 to 100 µs.
std::string plan_v1(Builder& b, const Wanted& w) {
  std::string missing;
  auto group = [&](const char* controller, bool want) -> CgroupDir* {
    if (!want) return nullptr;
    const std::string* parent = own_v1(b, controller);
    if (parent != nullptr) return &new_dir(b, *parent, controller);
    missing += (missing.empty() ? "" : ", ") + std::string(controller);
    return nullptr;
  };
  if (CgroupDir* dir = group("memory", w.memory != 0)) {
    // Buffers of TCP have a limit of their own here, and without one they are taken from the whole host's (tcp_mem).
    dir->writes = {{"memory.limit_in_bytes", num(w.memory)}, {"?memory.memsw.limit_in_bytes", num(w.memory)},
                   {"?memory.kmem.tcp.limit_in_bytes", num(tcp_share(w.memory))}};
    join_by_write(b, *dir);
  }
  if (CgroupDir* dir = group("pids", w.pids != 0)) {
    dir->writes = {{"pids.max", num(w.pids)}};
    join_by_write(b, *dir);
  }
  if (CgroupDir* dir = group("cpu", w.cpus_milli != 0)) {
    dir->writes = {{"cpu.cfs_period_us", "100000"}, {"cpu.cfs_quota_us", num(w.cpus_milli * 100)}};
    join_by_write(b, *dir);
  }
  if (w.cpu_time) count_cpu_time_v1(b, w.cpus_milli != 0);
  return missing;
}

std::string plan_v2(Builder& b, const Wanted& w) {
  const CgroupFacts& facts = b.features.cgroup;
  auto has = [&](const char* name) {
    for (const auto& controller : facts.v2_controllers)
      if (controller == name) return true;
    return false;
  };
  auto enabled = [&](const std::string& name) {
    for (const auto& controller : facts.v2_enabled)
      if (controller == name) return true;
    return false;
  };
  std::string missing;
  std::vector<std::pair<std::string, std::string>> writes;
  auto want = [&](const char* name, bool wish, std::vector<std::pair<std::string, std::string>> lines) {
    if (!wish) return;
    if (!has(name)) {
      missing += (missing.empty() ? "" : ", ") + std::string(name);
      return;
    }
    if (!enabled(name)) b.plan.cgroup_enable.push_back(name);
    writes.insert(writes.end(), lines.begin(), lines.end());
  };
  want("memory", w.memory != 0,
       {{"memory.max", num(w.memory)}, {"?memory.swap.max", "0"}, {"?memory.oom.group", "0"}});
  want("pids", w.pids != 0, {{"pids.max", num(w.pids)}});
  want("cpu", w.cpus_milli != 0, {{"cpu.max", num(w.cpus_milli * 100) + " 100000"}});
  b.plan.group_counts_cpu = w.cpu_time;   // every group of this version does
  CgroupDir& dir = new_dir(b, facts.v2_path, "unified");
  dir.writes = std::move(writes);
  dir.into = b.features.clone_into_cgroup;
  if (!dir.into) join_by_write(b, dir);
  b.plan.cgroup_parent = facts.v2_path;
  b.plan.cgroup_leaf_first = facts.v2_leaf_first && !b.plan.cgroup_enable.empty();
  return missing;
}

// `controller`: the one that is asked for; empty: any.
std::string why_none(const CgroupFacts& facts, std::string_view controller = {}) {
  if (facts.mode == CgroupMode::None) return "no control groups are mounted";
  for (const auto& entry : facts.unusable)
    if (entry.controller == controller) return entry.controller + ": " + entry.reason;
  for (const auto& entry : facts.unusable) return entry.controller + ": " + entry.reason;
  return "no group can be made by this caller";
}

std::string remedy(const CgroupFacts& facts) {
  for (const auto& entry : facts.unusable)
    if (entry.remedy.find(" && ") != std::string::npos)
      return "immure doctor shows how to get a group";
    else if (!entry.remedy.empty())
      return entry.remedy;
  return "run it in a delegated group: systemd-run --user --scope -p Delegate=yes immure run …";
}

// The supervisor can sum memory and processes; it cannot hold back a processor.
Status no_cpus(const Builder& b) {
  return fail(Code::kLayer, "--cpus cannot be had here", why_none(b.features.cgroup, "cpu"),
              remedy(b.features.cgroup), b.spec.origin_text(b.spec.set_by_word(Field::Cpus)));
}

std::string processors_text(uint64_t milli) {
  std::string digits = num(1000 + milli % 1000).substr(1);
  while (!digits.empty() && digits.back() == '0') digits.pop_back();
  std::string text = num(milli / 1000) + (digits.empty() ? "" : "." + digits);
  return text + (milli == 1000 ? " processor" : " processors");
}

std::string limits_text(const Wanted& w) {
  std::string text;
  auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (w.memory != 0) add("memory " + format_size(w.memory));
  if (w.pids != 0) add(num(w.pids) + " processes");
  if (w.cpus_milli != 0) add(processors_text(w.cpus_milli));
  if (w.cpu_time) add("processor time");
  return text;
}

}  // namespace

Status plan_cgroup(Builder& b) {
  Wanted w = wanted(b);
  const CgroupFacts& facts = b.features.cgroup;
  b.plan.memory_limit = w.memory;
  b.plan.pids_limit = w.pids;
  b.plan.cpu_time_limit_ns = b.spec.limits.cpu_time_ns.value_or(0);
  if (!b.wants(Layer::Cgroup)) {
    b.plan.supervisor_sums = true;
    return {};
  }
  if (w.memory == 0 && w.pids == 0 && w.cpus_milli == 0 && !w.cpu_time) {
    b.layer(Layer::Cgroup).mechanism = "no group: no limit asks for one";
    return {};
  }
  bool v1 = (facts.mode == CgroupMode::V1 || facts.mode == CgroupMode::Hybrid) && facts.v1_writable;
  bool v2 = facts.mode == CgroupMode::V2 && facts.v2_writable && !facts.v2_path.empty();
  if (!v1 && !v2) {
    if (w.cpus_milli != 0 && b.spec.limits.cpus_milli) return no_cpus(b);
    b.plan.supervisor_sums = true;
    b.layer(Layer::Cgroup).mechanism = "the supervisor sums what the jail's processes use, and ends it at the limit";
    return b.lacks(Layer::Cgroup, State::Weaker, why_none(facts), remedy(facts));
  }
  std::string missing = v1 ? plan_v1(b, w) : plan_v2(b, w);
  b.layer(Layer::Cgroup).mechanism = std::string(v1 ? "version 1: " : "version 2: ") + limits_text(w);
  if (missing.empty()) return {};
  bool no_cpu = missing == "cpu" || missing.ends_with(", cpu");
  if (no_cpu && b.spec.limits.cpus_milli) return no_cpus(b);
  b.plan.supervisor_sums = true;
  return b.lacks(Layer::Cgroup, State::Weaker, "controllers that cannot be had: " + missing, remedy(facts));
}

}  // namespace immure
