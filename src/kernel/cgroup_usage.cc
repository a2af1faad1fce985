#include <charconv>

#include "base/text.h"
#include "kernel/cgroup.h"
#include "kernel/mountinfo.h"
#include "kernel/proc.h"

namespace immure {
namespace {

// One group's files. A file that is not there gives an empty text, and so no value.
class Files {
 public:
  explicit Files(std::string_view group) : path_(group) {
    path_ += '/';
    base_ = path_.size();
  }
  std::string_view text(const char* file) {
    path_.resize(base_);
    path_ += file;
    return read_view(path_.c_str(), buffer_);
  }
  std::optional<uint64_t> single(const char* file) { return single_value(text(file)); }
  std::optional<uint64_t> flat(const char* file, const char* key) { return flat_value(text(file), key); }

 private:
  std::string path_;
  size_t base_;
  char buffer_[8192];
};

std::optional<uint64_t> times(std::optional<uint64_t> value, uint64_t factor) {
  if (!value || *value > kNoLimit / factor) return std::nullopt;
  return *value * factor;
}

void unified_usage(Files& files, CgroupUsage& usage) {
  std::string_view cpu = files.text("cpu.stat");
  usage.cpu_ns = times(flat_value(cpu, "usage_usec"), 1000);
  usage.throttled_ns = times(flat_value(cpu, "throttled_usec"), 1000);
  usage.throttled_periods = flat_value(cpu, "nr_throttled");
  usage.memory_now = files.single("memory.current");
  usage.memory_peak = files.single("memory.peak");
  std::string_view memory = files.text("memory.events");
  usage.memory_limit_hits = flat_value(memory, "max");
  usage.oom_kills = flat_value(memory, "oom_kill");
  usage.pids_now = files.single("pids.current");
  usage.pids_peak = files.single("pids.peak");
  usage.pids_limit_hits = files.flat("pids.events", "max");
  std::string_view io = files.text("io.stat");
  if (!io.empty()) {
    uint64_t read = 0, written = 0;
    sum_io_stat(io, read, written);
    usage.io_read = read;
    usage.io_written = written;
  }
}

void v1_usage(Files& files, std::string_view controllers, CgroupUsage& usage) {
  if (list_has(controllers, "memory")) {
    usage.memory_now = files.single("memory.usage_in_bytes");
    usage.memory_peak = files.single("memory.max_usage_in_bytes");
    usage.memory_limit_hits = files.single("memory.failcnt");
    usage.oom_kills = files.flat("memory.oom_control", "oom_kill");
  }
  if (list_has(controllers, "pids")) {
    usage.pids_now = files.single("pids.current");
    usage.pids_peak = files.single("pids.peak");
    usage.pids_limit_hits = files.flat("pids.events", "max");
  }
  if (list_has(controllers, "cpuacct")) usage.cpu_ns = files.single("cpuacct.usage");
  if (list_has(controllers, "cpu")) {
    std::string_view cpu = files.text("cpu.stat");
    usage.throttled_ns = flat_value(cpu, "throttled_time");
    usage.throttled_periods = flat_value(cpu, "nr_throttled");
  }
  if (list_has(controllers, "blkio")) {
    uint64_t read = 0, written = 0;
    sum_blkio(files.text("blkio.throttle.io_service_bytes"), read, written);
    usage.io_read = read;
    usage.io_written = written;
  }
}

// v1 says "no limit" with the largest page-aligned number.
std::optional<uint64_t> v1_limit(std::optional<uint64_t> value) {
  if (value && *value >= 0x7ffffffffffff000 - 0xffff) return kNoLimit;
  return value;
}

void unified_limits(Files& files, CgroupLimits& limits) {
  limits.memory = files.single("memory.max");
  limits.swap = files.single("memory.swap.max");
  limits.pids = files.single("pids.max");
  limits.cpu_milli = cpu_max_milli(files.text("cpu.max"));
  limits.cpu_weight = files.single("cpu.weight");
  limits.cpus = std::string(files.text("cpuset.cpus.effective"));
}

void v1_limits(Files& files, std::string_view controllers, CgroupLimits& limits) {
  if (list_has(controllers, "memory")) limits.memory = v1_limit(files.single("memory.limit_in_bytes"));
  if (list_has(controllers, "pids")) limits.pids = files.single("pids.max");
  if (list_has(controllers, "cpu")) {
    std::string_view quota_text = files.text("cpu.cfs_quota_us");
    bool none = quota_text.starts_with('-');
    auto quota = single_value(quota_text);
    auto period = files.single("cpu.cfs_period_us");
    if (none)
      limits.cpu_milli = kNoLimit;
    else if (quota && period && *period != 0)
      limits.cpu_milli = *quota * 1000 / *period;
    limits.cpu_weight = files.single("cpu.shares");
  }
  if (list_has(controllers, "cpuset")) limits.cpus = std::string(files.text("cpuset.effective_cpus"));
}

// The number behind "key=" in a line, 0 when there is none.
uint64_t keyed(std::string_view line, std::string_view key) {
  for (std::string_view word = next_word(line); !word.empty(); word = next_word(line))
    if (word.starts_with(key)) return parse_u64(word.substr(key.size())).value_or(0);
  return 0;
}

}  // namespace

std::optional<uint64_t> single_value(std::string_view text) {
  std::string_view line;
  if (!next_line(text, line)) return std::nullopt;
  if (line == "max") return kNoLimit;
  return parse_u64(line);
}

std::optional<uint64_t> flat_value(std::string_view text, std::string_view key) {
  std::string_view line;
  while (next_line(text, line)) {
    if (next_word(line) != key) continue;
    auto value = parse_u64(next_word(line));
    if (value) return value;
  }
  return std::nullopt;
}

void sum_io_stat(std::string_view text, uint64_t& read, uint64_t& written) {
  std::string_view line;
  while (next_line(text, line)) {
    read += keyed(line, "rbytes=");
    written += keyed(line, "wbytes=");
  }
}

void sum_blkio(std::string_view text, uint64_t& read, uint64_t& written) {
  std::string_view line;
  while (next_line(text, line)) {
    if (next_word(line).find(':') == std::string_view::npos) continue;  // "Total 5"
    std::string_view kind = next_word(line);
    uint64_t bytes = parse_u64(next_word(line)).value_or(0);
    if (kind == "Read") read += bytes;
    if (kind == "Write") written += bytes;
  }
}

std::optional<uint64_t> cpu_max_milli(std::string_view text) {
  std::string_view line;
  if (!next_line(text, line)) return std::nullopt;
  std::string_view quota_word = next_word(line);
  if (quota_word == "max") return kNoLimit;
  auto quota = parse_u64(quota_word), period = parse_u64(next_word(line));
  if (!quota || !period || *period == 0 || *quota > kNoLimit / 1000) return std::nullopt;
  return *quota * 1000 / *period;
}

CgroupUsage read_usage(std::span<const CgroupRef> groups) {
  CgroupUsage usage;
  for (const CgroupRef& group : groups) {
    Files files(group.path);
    if (group.controller == "unified") {
      // Beside v1 controllers a unified group tells processor time only; what v1 tells stays.
      CgroupUsage own;
      unified_usage(files, own);
      auto merge = [](std::optional<uint64_t>& to, std::optional<uint64_t> from) {
        if (from) to = from;
      };
      merge(usage.cpu_ns, own.cpu_ns);
      merge(usage.throttled_ns, own.throttled_ns);
      merge(usage.throttled_periods, own.throttled_periods);
      merge(usage.memory_now, own.memory_now);
      merge(usage.memory_peak, own.memory_peak);
      merge(usage.memory_limit_hits, own.memory_limit_hits);
      merge(usage.oom_kills, own.oom_kills);
      merge(usage.pids_now, own.pids_now);
      merge(usage.pids_peak, own.pids_peak);
      merge(usage.pids_limit_hits, own.pids_limit_hits);
      merge(usage.io_read, own.io_read);
      merge(usage.io_written, own.io_written);
    } else {
      v1_usage(files, group.controller, usage);
    }
  }
  return usage;
}

CgroupLimits read_limits(std::span<const CgroupRef> groups) {
  CgroupLimits limits;
  for (const CgroupRef& group : groups) {
    Files files(group.path);
    if (group.controller == "unified") {
      CgroupLimits own;
      unified_limits(files, own);
      if (own.memory) limits.memory = own.memory;
      if (own.swap) limits.swap = own.swap;
      if (own.pids) limits.pids = own.pids;
      if (own.cpu_milli) limits.cpu_milli = own.cpu_milli;
      if (own.cpu_weight) limits.cpu_weight = own.cpu_weight;
      if (!own.cpus.empty()) limits.cpus = own.cpus;
    } else {
      v1_limits(files, group.controller, limits);
    }
  }
  if (!limits.cpus.empty() && limits.cpus.back() == '\n') limits.cpus.pop_back();
  return limits;
}

}  // namespace immure
