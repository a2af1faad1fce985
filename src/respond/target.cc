#include "respond/target.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <unordered_set>

#include "base/file.h"
#include "base/text.h"
#include "kernel/cgroup.h"
#include "kernel/proc.h"
#include "kernel/sys.h"

namespace immure::respond {
namespace {

std::string proc_path(int pid, std::string_view file) {
  return "/proc/" + num_signed(pid) + "/" + std::string(file);
}

std::optional<Member> look(int pid) {
  char buffer[1024];
  const auto stat = parse_stat(read_view(proc_path(pid, "stat").c_str(), buffer));
  if (!stat) return std::nullopt;
  return Member{pid, stat->ppid, stat->start_ticks, stat->state, std::string(stat->name)};
}

// What it is numbered as in each pid namespace that it is in, ours first.
std::vector<int> numbers_of(int pid) {
  char buffer[4096];
  const ProcStatus status = parse_status(read_view(proc_path(pid, "status").c_str(), buffer));
  std::vector<int> numbers;
  std::string_view rest = status.ns_pid;
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest))
    if (auto number = parse_u64(word)) numbers.push_back(static_cast<int>(*number));
  return numbers;
}

std::vector<int> all_pids() {
  std::vector<int> pids;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return pids;
  while (const dirent* entry = readdir(proc))
    if (auto pid = parse_u64(entry->d_name)) pids.push_back(static_cast<int>(*pid));
  closedir(proc);
  std::sort(pids.begin(), pids.end());
  return pids;
}

// The states of its threads, the first one's too: that one may have ended while others go on, and the process
// is then shown as 'Z'.
std::string thread_states(int pid) {
  std::string states;
  const std::string folder = proc_path(pid, "task");
  DIR* tasks = opendir(folder.c_str());
  if (tasks == nullptr) return states;
  while (const dirent* entry = readdir(tasks)) {
    if (!parse_u64(entry->d_name)) continue;
    char buffer[1024];
    const std::string file = folder + "/" + entry->d_name + "/stat";
    if (const auto stat = parse_stat(read_view(file.c_str(), buffer))) states += stat->state;
  }
  closedir(tasks);
  return states;
}

bool is_dead(const Member& one) {
  if (one.state != 'Z' && one.state != 'X') return false;
  return thread_states(one.pid).find_first_not_of("ZX") == std::string::npos;
}

// This process and those that it descends from: whoever stops them stops himself.
std::unordered_set<int> own_line() {
  std::unordered_set<int> line;
  for (int pid = getpid(); pid > 0 && line.insert(pid).second;) {
    const auto seen = look(pid);
    pid = seen ? seen->parent : 0;
  }
  return line;
}

bool stop_is_pending(int pid) {
  char buffer[4096];
  std::string_view rest = read_view(proc_path(pid, "status").c_str(), buffer), line;
  while (next_line(rest, line)) {
    if (!line.starts_with("ShdPnd:")) continue;
    uint64_t pending = 0;
    const std::string_view digits = trim(line.substr(7));
    std::from_chars(digits.data(), digits.data() + digits.size(), pending, 16);
    return (pending >> (SIGSTOP - 1) & 1) != 0;
  }
  return false;
}

// Adds those of `groups`' processes, of it and of the groups below; false when it cannot be read.
bool add_processes(const std::string& group, std::unordered_set<int>& into) {
  auto text = read_file(group + "/cgroup.procs");
  if (!text) return false;
  std::string_view rest = *text, line;
  while (next_line(rest, line))
    if (auto pid = parse_u64(line)) into.insert(static_cast<int>(*pid));
  DIR* folder = opendir(group.c_str());
  if (folder == nullptr) return false;
  bool whole = true;
  while (const dirent* entry = readdir(folder))
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
      whole = add_processes(group + "/" + entry->d_name, into) && whole;
  closedir(folder);
  return whole;
}

}  // namespace

Result<Target> Target::of_process(int pid, std::string shown) {
  const auto seen = look(pid);
  if (!seen)
    return fail(Code::kNoJail, "there is no process " + num_signed(pid), {},
                "immure ps lists jails, ps -e processes");
  if (own_line().contains(pid))
    return fail(Code::kBadValue, quoted(shown) + " is where this command itself runs", "it would stop itself",
                "name a process that this one does not descend from");
  Target target;
  target.shown_ = std::move(shown);
  target.pid_ = pid;
  target.began_ = seen->began;
  const std::vector<int> inner = numbers_of(pid);
  if (inner.size() <= numbers_of(getpid()).size()) return target;
  target.extent_ = Extent::PidNamespace;
  target.pid_namespace_ = ns_inode(pid, "pid");
  // What lost its parent becomes a child of pid 1: so its descendants are all, also where a namespace is not
  // shown to us.
  for (std::optional<Member> above = seen; above; above = look(above->parent)) {
    const std::vector<int> numbers = numbers_of(above->pid);
    if (numbers.size() != inner.size()) break;
    target.pid_ = above->pid;
    target.began_ = above->began;
    if (numbers.back() == 1) break;
  }
  return target;
}

std::vector<Member> Target::members() const {
  std::vector<Member> seen;
  for (int pid : all_pids())
    if (auto one = look(pid)) seen.push_back(std::move(*one));
  std::unordered_map<int, const Member*> by_pid;
  for (const Member& one : seen) by_pid[one.pid] = &one;

  // Belonging goes from parent to child; where parents are younger numbers, it takes another round.
  std::unordered_set<int> inside;
  for (const Member& one : seen) {
    const bool named = one.pid == pid_ && one.began == began_;
    if (named || (pid_namespace_ != 0 && ns_inode(one.pid, "pid") == pid_namespace_)) inside.insert(one.pid);
  }
  for (bool grew = true; grew;) {
    grew = false;
    for (const Member& one : seen)
      if (inside.contains(one.parent)) grew = inside.insert(one.pid).second || grew;
  }
  const std::unordered_set<int> own = own_line();
  std::vector<Member> members;
  for (Member& one : seen)
    if (inside.contains(one.pid) && !own.contains(one.pid) && !is_dead(one))
      members.push_back(std::move(one));
  return members;
}

std::string Target::own_group() const {
  auto text = read_file(proc_path(pid_, "cgroup"));
  if (!text) return {};
  CgroupSources sources{};
  sources.self_cgroup = *text;
  std::unordered_set<int> members, held;
  for (const Member& member : this->members()) members.insert(member.pid);
  for (const CgroupDirectory& group : cgroup_directories(sources))
    if (group.controllers == "unified" && group.path != "/" && !group.directory.empty() &&
        add_processes(group.directory, held) && held == members)
      return group.directory;
  return {};
}

bool signal(const Member& member, int number) {
  const UniqueFd held(static_cast<int>(sys::call(__NR_pidfd_open, member.pid, 0)));
  const auto now = look(member.pid);
  return held && now && now->began == member.began &&
         sys::call(__NR_pidfd_send_signal, held.get(), number, 0, 0) == 0;
}

bool at_rest(int pid) {
  const std::string states = thread_states(pid);
  const size_t busy = states.find_first_not_of("TtZX");
  if (busy == std::string::npos) return true;
  return states.find_first_not_of("TtZXD") == std::string::npos && stop_is_pending(pid);
}

}  // namespace immure::respond
