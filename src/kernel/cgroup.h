// Control groups of both versions: where this caller can make one, and making, reading, freezing, ending and
// removing one. Paths are directories on the host. No state is kept here. Not signal-safe (texts are built).
// Source: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/, cgroups(7).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernel/features.h"

namespace immure {

// What observe_cgroups() looks at; tests put a made-up tree there.
struct CgroupSources {
  std::string_view self_cgroup;  // text of /proc/self/cgroup
  std::string_view base = "/sys/fs/cgroup";
  const char* mountinfo = "/proc/self/mountinfo";  // read only when a group is not below `base`
  // Beside version 1 a plan uses nothing of the unified tree: it is not looked at where version 1 has every limit or
  // says why not. `mode` is told all the same, the rest of v2 is empty.
  bool for_plan = false;
};
CgroupFacts cgroup_facts(const CgroupSources& sources);
CgroupFacts observe_cgroups(bool for_plan = false);

// Where the groups of any process are: one entry a line of its /proc/PID/cgroup, given as
// `sources.self_cgroup`.
struct CgroupDirectory {
  std::string controllers;  // "cpu,cpuacct", "name=systemd", "unified"
  std::string path;         // as the kernel shows it
  std::string directory;    // on this side; empty: the group is not visible here
};
std::vector<CgroupDirectory> cgroup_directories(const CgroupSources& sources);

// One directory and what it is of: "memory", "cpu,cpuacct" … of version 1, or "unified".
struct CgroupRef {
  std::string_view path, controller;
};

// What a group used since it was made, summed over its members, the dead ones too. Empty: the kernel or the
// controllers at hand do not tell.
struct CgroupUsage {
  std::optional<uint64_t> cpu_ns, throttled_ns, throttled_periods;
  std::optional<uint64_t> memory_now, memory_peak, memory_limit_hits, oom_kills;
  std::optional<uint64_t> pids_now, pids_peak, pids_limit_hits;
  std::optional<uint64_t> io_read, io_written;  // bytes
};
CgroupUsage read_usage(std::span<const CgroupRef> groups);

// The limits a group has now. Empty: not told; kNoLimit: none set.
inline constexpr uint64_t kNoLimit = ~uint64_t{0};
struct CgroupLimits {
  std::optional<uint64_t> memory, swap, pids;
  std::optional<uint64_t> cpu_milli;   // 1500 = one and a half processors
  std::optional<uint64_t> cpu_weight;  // v2's cpu.weight, or v1's cpu.shares
  std::string cpus;                    // cpuset list, "0-3"
};
CgroupLimits read_limits(std::span<const CgroupRef> groups);

// Makes one directory. EEXIST is an error: each run has a group of its own.
Status make_group(const std::string& path);
// Writes `value` to `path`/`file` in one write(2).
Status write_group(const std::string& path, const char* file, std::string_view value);
// Gives the children of `path` these controllers.
Status enable_controllers(const std::string& path, std::span<const std::string> controllers);
// Makes `path`/`leaf` and moves the caller there, so that `path` holds no process (v2_leaf_first).
Status cgroup_enter_leaf(const std::string& path, const char* leaf);

// Is any process in the group or below it? nullopt: the group is gone.
std::optional<bool> populated(const CgroupRef& group);
// Stops, or lets go on, all processes; waits up to `timeout_ns` until the kernel says so.
Status freeze(const CgroupRef& group, bool frozen, uint64_t timeout_ns);
// SIGKILL to all: cgroup.kill, or every member until there is none (v1, kernels before 5.14).
Status kill_group(const CgroupRef& group);
// Removes the directory and the groups below it. Members are killed first when `kill`. Retries while the
// kernel still counts dying members, up to `timeout_ns`. A directory that is gone already is fine.
Status remove_group(const CgroupRef& group, bool kill, uint64_t timeout_ns = 2'000'000'000);

// Parsers, pure. "key value" lines ("oom_kill 3"), and numbers where "max" is kNoLimit.
std::optional<uint64_t> flat_value(std::string_view text, std::string_view key);
std::optional<uint64_t> single_value(std::string_view text);
// Sums of io.stat ("8:0 rbytes=1 wbytes=2 …") and of blkio.throttle.io_service_bytes ("8:0 Read 1").
void sum_io_stat(std::string_view text, uint64_t& read, uint64_t& written);
void sum_blkio(std::string_view text, uint64_t& read, uint64_t& written);
// "50000 100000" → 500; "max 100000" → kNoLimit.
std::optional<uint64_t> cpu_max_milli(std::string_view text);

}  // namespace immure
