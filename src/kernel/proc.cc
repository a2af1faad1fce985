#include "kernel/proc.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <cerrno>
#include <charconv>

#include "kernel/sys.h"

namespace immure {
namespace {

// The whole of `text` is a number; else the default stays.
template <class T>
bool take(std::string_view text, T& out, int base = 10) {
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return false;
  out = value;
  return true;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

void take_four(std::string_view text, uint32_t (&out)[4]) {
  for (uint32_t& value : out) take(next_word(text), value);
}

void take_kilobytes(std::string_view text, uint64_t& out) {
  uint64_t value = 0;
  if (take(next_word(text), value) && value <= (kUnlimited >> 10)) out = value << 10;
}

struct LimitName {
  std::string_view shown, short_name;
  int resource;
};
constexpr LimitName kLimits[] = {
    {"Max cpu time", "cpu", RLIMIT_CPU},
    {"Max file size", "fsize", RLIMIT_FSIZE},
    {"Max data size", "data", RLIMIT_DATA},
    {"Max stack size", "stack", RLIMIT_STACK},
    {"Max core file size", "core", RLIMIT_CORE},
    {"Max resident set", "rss", RLIMIT_RSS},
    {"Max processes", "nproc", RLIMIT_NPROC},
    {"Max open files", "nofile", RLIMIT_NOFILE},
    {"Max locked memory", "memlock", RLIMIT_MEMLOCK},
    {"Max address space", "as", RLIMIT_AS},
    {"Max file locks", "locks", RLIMIT_LOCKS},
    {"Max pending signals", "sigpending", RLIMIT_SIGPENDING},
    {"Max msgqueue size", "msgqueue", RLIMIT_MSGQUEUE},
    {"Max nice priority", "nice", RLIMIT_NICE},
    {"Max realtime priority", "rtprio", RLIMIT_RTPRIO},
    {"Max realtime timeout", "rttime", RLIMIT_RTTIME},
};

bool take_limit(std::string_view word, uint64_t& out) {
  if (word != "unlimited") return take(word, out);
  out = kUnlimited;
  return true;
}

}  // namespace

long read_small(int dir, const char* path, std::span<char> buffer) {
  long fd = sys::open(dir, path, O_RDONLY | O_CLOEXEC);
  if (sys::failed(fd)) return fd;
  size_t used = 0;
  long n = 0;
  while (used < buffer.size()) {
    n = sys::read(static_cast<int>(fd), buffer.data() + used, buffer.size() - used);
    if (n == -EINTR) continue;
    if (n <= 0) break;
    used += static_cast<size_t>(n);
  }
  sys::close(static_cast<int>(fd));
  return sys::failed(n) ? n : static_cast<long>(used);
}

std::string_view read_view(const char* path, std::span<char> buffer) {
  long n = read_small(AT_FDCWD, path, buffer);
  return n > 0 ? std::string_view(buffer.data(), static_cast<size_t>(n)) : std::string_view();
}

bool next_line(std::string_view& rest, std::string_view& line) {
  if (rest.empty()) return false;
  size_t end = rest.find('\n');
  line = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return true;
}

std::string_view next_word(std::string_view& rest) {
  size_t start = rest.find_first_not_of(" \t");
  if (start == std::string_view::npos) {
    rest = {};
    return {};
  }
  size_t end = rest.find_first_of(" \t", start);
  std::string_view word = rest.substr(start, end == std::string_view::npos ? end : end - start);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
  return word;
}

namespace {

void status_caps(ProcStatus& status, std::string_view key, std::string_view value) {
  struct Set {
    std::string_view key;
    uint64_t ProcStatus::*field;
  };
  static constexpr Set kSets[] = {
      {"CapInh", &ProcStatus::cap_inheritable}, {"CapPrm", &ProcStatus::cap_permitted},
      {"CapEff", &ProcStatus::cap_effective},   {"CapBnd", &ProcStatus::cap_bounding},
      {"CapAmb", &ProcStatus::cap_ambient},     {"SigBlk", &ProcStatus::signals_blocked},
      {"SigIgn", &ProcStatus::signals_ignored},
  };
  for (const Set& set : kSets)
    if (set.key == key && take(value, status.*set.field, 16) && key == "CapEff") status.has_caps = true;
}

void status_number(ProcStatus& status, std::string_view key, std::string_view value) {
  if (key == "Tgid")
    take(value, status.tgid);
  else if (key == "Pid")
    take(value, status.pid);
  else if (key == "PPid")
    take(value, status.ppid);
  else if (key == "TracerPid")
    take(value, status.tracer);
  else if (key == "Threads")
    take(value, status.threads);
  else if (key == "NoNewPrivs")
    take(value, status.no_new_privs);
  else if (key == "Seccomp")
    take(value, status.seccomp);
  else if (key == "Seccomp_filters")
    take(value, status.seccomp_filters);
  else if (key == "Umask")
    take(value, status.umask, 8);
}

}  // namespace

ProcStatus parse_status(std::string_view text) {
  ProcStatus status;
  std::string_view line;
  while (next_line(text, line)) {
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view key = line.substr(0, colon);
    std::string_view value = line.substr(colon + 1);
    // The name is the one field whose blanks belong to it: one tab stands before it.
    if (key == "Name") status.name = value.starts_with('\t') ? value.substr(1) : value;
    value = trimmed(value);
    if (key == "State" && !value.empty())
      status.state = value.front();
    else if (key == "Uid")
      take_four(value, status.uid);
    else if (key == "Gid")
      take_four(value, status.gid);
    else if (key == "Groups")
      status.groups = value;
    else if (key == "NSpid")
      status.ns_pid = value;
    else if (key == "VmHWM")
      take_kilobytes(value, status.memory_peak);
    else if (key == "VmRSS")
      take_kilobytes(value, status.resident);
    else if (key.size() == 6 && (key.starts_with("Cap") || key.starts_with("Sig")))
      status_caps(status, key, value);
    else
      status_number(status, key, value);
  }
  return status;
}

std::optional<IdRange> parse_id_map_line(std::string_view line) {
  IdRange range;
  if (!take(next_word(line), range.inside) || !take(next_word(line), range.outside) ||
      !take(next_word(line), range.count) || !next_word(line).empty())
    return std::nullopt;
  return range;
}

std::optional<ProcStat> parse_stat(std::string_view text) {
  size_t open = text.find('('), close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  ProcStat stat;
  stat.name = text.substr(open + 1, close - open - 1);
  if (!take(trimmed(text.substr(0, open)), stat.pid)) return std::nullopt;
  std::string_view rest = text.substr(close + 1);
  if (!rest.empty() && rest.back() == '\n') rest.remove_suffix(1);
  std::string_view state = next_word(rest);
  if (state.size() != 1) return std::nullopt;
  stat.state = state.front();
  if (!take(next_word(rest), stat.ppid) || !take(next_word(rest), stat.pgrp) ||
      !take(next_word(rest), stat.session))
    return std::nullopt;
  for (int field = 7; field < 22; field++) next_word(rest);
  if (!take(next_word(rest), stat.start_ticks)) return std::nullopt;
  return stat;
}

std::optional<CgroupLine> parse_cgroup_line(std::string_view line) {
  CgroupLine result;
  size_t first = line.find(':');
  if (first == std::string_view::npos || !take(line.substr(0, first), result.hierarchy)) return std::nullopt;
  // A named hierarchy may hold a colon in its name; the path starts at the first ":/".
  size_t second = line.find(":/", first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  result.controllers = line.substr(first + 1, second - first - 1);
  result.path = line.substr(second + 1);
  return result;
}

std::optional<LimitLine> parse_limit_line(std::string_view line) {
  // Columns are 26, 21, 21 and 10 wide; the name is the part before two blanks.
  size_t end = line.find("  ");
  if (end == std::string_view::npos || end == 0) return std::nullopt;
  LimitLine result;
  result.name = line.substr(0, end);
  std::string_view rest = line.substr(end);
  if (!take_limit(next_word(rest), result.soft) || !take_limit(next_word(rest), result.hard))
    return std::nullopt;
  for (const LimitName& limit : kLimits)
    if (limit.shown == result.name) result.resource = limit.resource;
  return result;
}

std::string_view limit_name(int resource) {
  for (const LimitName& limit : kLimits)
    if (limit.resource == resource) return limit.short_name;
  return {};
}

FdInfo parse_fdinfo(std::string_view text) {
  FdInfo info;
  std::string_view line;
  while (next_line(text, line)) {
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view key = line.substr(0, colon);
    std::string_view value = trimmed(line.substr(colon + 1));
    if (key == "pos")
      take(value, info.position);
    else if (key == "flags")
      take(value, info.flags, 8);
    else if (key == "mnt_id")
      take(value, info.mount_id);
    else if (key == "ino")
      take(value, info.inode);
    else if (key == "Pid")
      take(value, info.pid);
    else if (info.first_extra.empty() && key != "lock")
      info.first_extra = line;
  }
  return info;
}

uint64_t parse_ns_link(std::string_view text) {
  size_t open = text.find(":[");
  uint64_t inode = 0;
  if (open == std::string_view::npos || text.back() != ']') return 0;
  if (!take(text.substr(open + 2, text.size() - open - 3), inode)) return 0;
  return inode;
}

uint64_t ns_inode(int pid, const char* name) {
  // "/proc/" + 10 digits + "/ns/" + "pid_for_children" fit.
  char path[64] = "/proc/self/ns/";
  size_t at = sizeof "/proc/self/ns/" - 1;
  if (pid > 0) {
    char* end = std::to_chars(path + 6, path + 20, pid).ptr;
    for (const char* tail = "/ns/"; *tail != '\0'; tail++) *end++ = *tail;
    at = static_cast<size_t>(end - path);
  }
  for (; *name != '\0' && at < sizeof path - 1; name++) path[at++] = *name;
  path[at] = '\0';
  char link[64];
  long n = sys::call(__NR_readlinkat, AT_FDCWD, sys::arg(path), sys::arg(link), sizeof link);
  return n > 0 ? parse_ns_link({link, static_cast<size_t>(n)}) : 0;
}

}  // namespace immure
