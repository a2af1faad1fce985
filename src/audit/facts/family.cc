#include "audit/facts/family.h"

#include <dirent.h>

#include <memory>
#include <set>

#include "base/text.h"
#include "kernel/proc.h"

namespace immure::audit {
namespace {

struct Seen {
  Relative relative;
  uint64_t pid_namespace = 0;
};

constexpr size_t kStatusSize = 8192;

bool look_at(const std::string& number, Seen& into) {
  char buffer[kStatusSize];
  const ProcStatus status = parse_status(read_view(("/proc/" + number + "/status").c_str(), buffer));
  // The first thread may have ended while others go on: the process is then shown as 'Z', with all its threads.
  if (status.pid < 0 || (status.state == 'Z' && status.threads < 2)) return false;
  into.relative.pid = status.pid;
  into.relative.parent = status.ppid;
  into.relative.uid = status.uid[1];
  into.relative.name = std::string(status.name);
  // The first number is that of the caller's namespace, the last one its own.
  std::string_view rest = status.ns_pid, last;
  size_t n = 0;
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest), ++n) last = word;
  if (n > 1) into.relative.inside_pid = static_cast<int>(parse_u64(last).value_or(0));
  into.pid_namespace = ns_inode(status.pid, "pid");
  return true;
}

std::vector<Seen> all_processes() {
  std::vector<Seen> out;
  std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc"), closedir);
  if (!folder) return out;
  while (const dirent* entry = readdir(folder.get())) {
    Seen seen;
    if (parse_u64(entry->d_name) && look_at(entry->d_name, seen)) out.push_back(std::move(seen));
  }
  return out;
}

}  // namespace

std::vector<Relative> family_of(int pid, uint64_t pid_namespace, bool is_hosts) {
  const std::vector<Seen> all = all_processes();
  const bool by_namespace = !is_hosts && pid_namespace != 0;
  std::set<int> members = {pid};
  for (const Seen& one : all)
    if (by_namespace && one.pid_namespace == pid_namespace) members.insert(one.relative.pid);
  // Whose parent is one of them is one of them: also who has gone into a namespace of its own.
  for (size_t before = 0; before != members.size();) {
    before = members.size();
    for (const Seen& one : all)
      if (members.contains(one.relative.parent)) members.insert(one.relative.pid);
  }
  std::vector<Relative> out;
  for (const Seen& one : all) {
    if (!members.contains(one.relative.pid) || out.size() == kMostRelatives) continue;
    out.push_back(one.relative);
    out.back().top = !members.contains(one.relative.parent);
  }
  return out;
}

}  // namespace immure::audit
