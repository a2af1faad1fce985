// The processes of a jail, found from outside, and stopping them one by one where no control group can.
#include <dirent.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "cli/jails.h"
#include "kernel/cgroup.h"
#include "kernel/proc.h"
#include "kernel/sys.h"
#include "respond/target.h"

namespace immure::cli {
namespace {

constexpr int kRounds = 200;

uint64_t pid_namespace_of(const JailState& state) {
  uint64_t recorded = state.namespaces[static_cast<size_t>(Layer::PidNs)];
  return recorded != 0 ? recorded : ns_inode(state.init.pid, "pid");
}

std::optional<ProcStat> stat_of(int pid, std::span<char> buffer) {
  std::string path = "/proc/" + num_signed(pid) + "/stat";
  return parse_stat(read_view(path.c_str(), buffer));
}

// A parent outside is one of immure's own, unless that has died: then it is whoever takes orphans, who is left alone.
bool is_keeper(int pid) {
  if (pid <= 1) return false;
  char buffer[4096];
  std::string path = "/proc/" + num_signed(pid) + "/status";
  ProcStatus status = parse_status(read_view(path.c_str(), buffer));
  return status.name == "immure-init" && status.seccomp == 2 && status.has_caps && status.cap_permitted == 0;
}

// To the process that has this number now, if it is in the namespace: a number that was used again is spared.
void signal_member(int pid, uint64_t pid_namespace, int number) {
  UniqueFd fd(static_cast<int>(sys::call(__NR_pidfd_open, pid, 0)));
  if (fd && ns_inode(pid, "pid") == pid_namespace) sys::call(__NR_pidfd_send_signal, fd.get(), number, 0, 0);
}

// Keepers stand outside: they are told by being the parent of a member.
void signal_keeper(int pid, const JailState& state, uint64_t pid_namespace, int number) {
  UniqueFd fd(static_cast<int>(sys::call(__NR_pidfd_open, pid, 0)));
  Members now = members_of(state, pid_namespace);
  bool still = std::find(now.keepers.begin(), now.keepers.end(), pid) != now.keepers.end();
  if (fd && still) sys::call(__NR_pidfd_send_signal, fd.get(), number, 0, 0);
}

Status signal_init(const JailState& state, int number) {
  auto init = open_process(state.init, state.name);
  if (!init) return tl::unexpected<Error>(std::move(init.error()));
  sys::call(__NR_pidfd_send_signal, init->get(), number, 0, 0);
  return {};
}

void nap() {
  timespec pause{0, 2'000'000};
  nanosleep(&pause, nullptr);
}

}  // namespace

Members members_of(const JailState& state, uint64_t pid_namespace) {
  Members members;
  std::vector<int> parents;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return members;
  while (const dirent* entry = readdir(proc)) {
    auto pid = parse_u64(entry->d_name);
    if (!pid || ns_inode(static_cast<int>(*pid), "pid") != pid_namespace) continue;
    int number = static_cast<int>(*pid);
    if (number == state.init.pid) continue;
    members.inside.push_back(number);
    char buffer[1024];
    if (auto stat = stat_of(number, buffer)) parents.push_back(stat->ppid);
  }
  closedir(proc);
  for (int parent : parents) {
    bool inside = std::find(members.inside.begin(), members.inside.end(), parent) != members.inside.end();
    bool known = std::find(members.keepers.begin(), members.keepers.end(), parent) != members.keepers.end();
    if (!inside && !known && parent != state.init.pid && is_keeper(parent)) members.keepers.push_back(parent);
  }
  return members;
}

Status stop_processes(const JailState& state) {
  uint64_t pid_namespace = pid_namespace_of(state);
  if (pid_namespace == 0) return fail(Code::kState, "the processes of " + quoted(state.name) + " cannot be told from others");
  IMMURE_TRY(signal_init(state, SIGSTOP));
  for (int round = 0; round < kRounds; round++) {
    Members members = members_of(state, pid_namespace);
    bool quiet = respond::at_rest(state.init.pid);
    for (int keeper : members.keepers) {
      if (respond::at_rest(keeper)) continue;
      signal_keeper(keeper, state, pid_namespace, SIGSTOP);
      quiet = false;
    }
    for (int member : members.inside) {
      if (respond::at_rest(member)) continue;
      signal_member(member, pid_namespace, SIGSTOP);
      quiet = false;
    }
    if (quiet) return {};
    nap();
  }
  (void)continue_processes(state);
  return fail(Code::kSystem, "the jail " + quoted(state.name) + " cannot be frozen", "new processes keep coming",
              "end it with immure kill, or give it a control group that can be frozen");
}

void release_keepers(const JailState& state) {
  for (const std::string& group : state.groups)
    if (controller_of(group) == "unified") (void)write_group(group, "cgroup.freeze", "0");
  uint64_t pid_namespace = pid_namespace_of(state);
  for (int keeper : members_of(state, pid_namespace).keepers) signal_keeper(keeper, state, pid_namespace, SIGCONT);
}

Status continue_processes(const JailState& state) {
  uint64_t pid_namespace = pid_namespace_of(state);
  Members members = members_of(state, pid_namespace);
  for (int member : members.inside) signal_member(member, pid_namespace, SIGCONT);
  for (int keeper : members.keepers) signal_keeper(keeper, state, pid_namespace, SIGCONT);
  return signal_init(state, SIGCONT);
}

bool is_frozen(const JailState& state) {
  for (const std::string& group : state.groups) {
    if (controller_of(group) != "unified") continue;
    char buffer[256];
    std::string file = group + "/cgroup.events";
    if (flat_value(read_view(file.c_str(), buffer), "frozen").value_or(0) != 0) return true;
  }
  char buffer[1024];
  auto stat = stat_of(state.init.pid, buffer);
  return stat && stat->state == 'T';
}

}  // namespace immure::cli
