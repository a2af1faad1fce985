// Reading /proc: small files into a caller's buffer, and parsers of their text. The parsers are pure, never
// allocate, keep views into the text they were given, and take any bytes: what they do not know they skip.
// Source: proc(5), Documentation/filesystems/proc.rst, user_namespaces(7).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace immure {

// Fills `buffer` from the file's start; -errno on failure. A file longer than the buffer is cut. `dir` is a
// directory descriptor or AT_FDCWD. Async-signal-safe. (base/file.h reads whole files.)
long read_small(int dir, const char* path, std::span<char> buffer);
// The same as a view; empty on failure and for an empty file.
std::string_view read_view(const char* path, std::span<char> buffer);

// The next line without its newline; false at the end. `rest` is moved behind it.
bool next_line(std::string_view& rest, std::string_view& line);
// The next word between blanks and tabs; empty at the end.
std::string_view next_word(std::string_view& rest);

// /proc/PID/status. A field that the kernel does not show keeps its default.
struct ProcStatus {
  std::string_view name;  // as written there: \n and \\ are escaped
  char state = '?';
  int32_t pid = -1, tgid = -1, ppid = -1, tracer = 0;
  uint32_t uid[4] = {0, 0, 0, 0};  // real, effective, saved, filesystem
  uint32_t gid[4] = {0, 0, 0, 0};
  std::string_view groups;                 // decimal numbers between blanks
  std::string_view ns_pid;                 // this process's number in each pid namespace, outermost first
  uint64_t memory_peak = 0, resident = 0;  // bytes
  uint32_t threads = 0;
  uint64_t cap_inheritable = 0, cap_permitted = 0, cap_effective = 0, cap_bounding = 0, cap_ambient = 0;
  bool has_caps = false;
  int no_new_privs = -1;  // -1: not shown
  int seccomp = -1;       // 0 none, 1 strict, 2 filter
  int seccomp_filters = -1;
  int umask = -1;
  uint64_t signals_blocked = 0, signals_ignored = 0;
};
ProcStatus parse_status(std::string_view text);

// One line of uid_map or gid_map.
struct IdRange {
  uint32_t inside = 0, outside = 0, count = 0;
};
std::optional<IdRange> parse_id_map_line(std::string_view line);

// /proc/PID/stat: the name may hold blanks and parentheses, so the fields are counted from the last ')'.
struct ProcStat {
  std::string_view name;
  char state = '?';
  int32_t pid = -1, ppid = -1, pgrp = -1, session = -1;
  uint64_t start_ticks = 0;  // since boot, in clock ticks: with the pid it names a process for ever
};
std::optional<ProcStat> parse_stat(std::string_view text);

// One line of /proc/PID/cgroup: "4:memory:/path", "0::/path".
struct CgroupLine {
  uint32_t hierarchy = 0;        // 0: the unified tree
  std::string_view controllers;  // "cpu,cpuacct", "name=systemd", "" for the unified tree
  std::string_view path;
};
std::optional<CgroupLine> parse_cgroup_line(std::string_view line);

// One line of /proc/PID/limits. kUnlimited is what the kernel calls unlimited.
inline constexpr uint64_t kUnlimited = ~uint64_t{0};
struct LimitLine {
  std::string_view name;  // "Max open files"
  int resource = -1;      // RLIMIT_…; -1: a name that is not known
  uint64_t soft = 0, hard = 0;
};
std::optional<LimitLine> parse_limit_line(std::string_view line);
// "nofile" for RLIMIT_NOFILE, as ulimit(1) and prlimit(1) say it; "" when unknown.
std::string_view limit_name(int resource);

// /proc/PID/fdinfo/N: what every descriptor has, and what the special ones add.
struct FdInfo {
  uint64_t position = 0;
  uint32_t flags = 0;  // O_… as open(2) got them, O_CLOEXEC included
  int64_t mount_id = -1;
  uint64_t inode = 0;            // 0: a kernel before 5.14
  int64_t pid = -1;              // of a pidfd; -1: not one, or the process is gone
  std::string_view first_extra;  // the first line that is none of the above: "eventfd-count: …"
};
FdInfo parse_fdinfo(std::string_view text);

// "pid:[4026531836]" → 4026531836; 0 when the text is none of that shape.
uint64_t parse_ns_link(std::string_view text);
// The inode of /proc/PID/ns/NAME (pid 0: the caller); 0 when it cannot be read.
uint64_t ns_inode(int pid, const char* name);

}  // namespace immure
