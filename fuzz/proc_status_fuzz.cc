// Any bytes as each of the files of /proc/PID that are parsed.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "kernel/proc.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  immure::ProcStatus status = immure::parse_status(text);
  if (status.name.size() > size || status.groups.size() > size) std::abort();
  if (auto stat = immure::parse_stat(text); stat && stat->name.size() + 2 > size) std::abort();
  (void)immure::parse_fdinfo(text);
  (void)immure::parse_ns_link(text);
  std::string_view rest = text, line;
  size_t lines = 0;
  while (immure::next_line(rest, line)) {
    (void)immure::parse_id_map_line(line);
    (void)immure::parse_limit_line(line);
    if (auto group = immure::parse_cgroup_line(line); group && group->path.front() != '/') std::abort();
    lines++;
  }
  if (lines > size) std::abort();
  return 0;
}
