// How a tracer gets hold of what already runs: threads and children may come while they are looked for, so it
// looks until nobody is new. Children of who is traced already are traced from their birth on.
#include <dirent.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <span>

#include "base/text.h"
#include "kernel/proc.h"
#include "watch/sources/members.h"
#include "watch/sources/tracer.h"

namespace immure::watch {
namespace {

std::vector<pid_t> numbers_in(const std::string& folder) {
  std::vector<pid_t> out;
  std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.c_str()), closedir);
  if (dir == nullptr) return out;
  while (const dirent* entry = readdir(dir.get()))
    if (std::optional<uint64_t> number = parse_u64(entry->d_name)) out.push_back(static_cast<pid_t>(*number));
  return out;
}

ProcStatus status_of(pid_t tid, std::span<char> buffer) {
  return parse_status(read_view(("/proc/" + std::to_string(tid) + "/status").c_str(), buffer));
}

pid_t group_of(pid_t tid) {
  std::array<char, 4096> buffer;
  return status_of(tid, buffer).tgid;
}

// Who traces it; -1: it has ended, or is gone.
pid_t tracer_of(pid_t tid) {
  std::array<char, 4096> buffer;
  const ProcStatus status = status_of(tid, buffer);
  return status.pid < 0 || status.state == 'Z' || status.state == 'X' ? -1 : status.tracer;
}

}  // namespace

Status Tracer::seize(pid_t tid, const Met& process) {
  const pid_t pid = process.pid;
  unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                          PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
  if (target_.stops_for_tracer) options |= PTRACE_O_TRACESECCOMP;
  if (target_.ends_with_watcher) options |= PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SEIZE, tid, 0, options) != 0) {
    const int error = errno;
    const pid_t other = tracer_of(tid);
    if (error == ESRCH || other < 0) return {};
    const std::string what = "process " + num_signed(pid) + " cannot be traced";
    if (other > 0)
      return fail(Code::kSystem, what, "process " + num_signed(other) + " traces it already",
                  "end that one, or use another source: --source ebpf");
    return fail(
        Code::kSystem, what, "it belongs to somebody else, or may not be looked into",
        "as root: sudo immure watch …; a kernel with /proc/sys/kernel/yama/ptrace_scope above 0 lets a user trace "
        "nobody but own children",
        {}, error);
  }
  // A number is nobody else's as long as its owner is traced: who has it now has had it when it was seized.
  if (group_of(tid) != pid || !is_still(process)) {
    strangers_.insert(tid);
    ptrace(PTRACE_INTERRUPT, tid, 0, 0);
    return {};
  }
  add(tid, pid);
  // Nobody is stopped by being seized. To see calls, each has to be stopped once.
  if (!target_.stops_for_tracer) ptrace(PTRACE_INTERRUPT, tid, 0, 0);
  return {};
}

Result<bool> Tracer::seize_process(const Met& process) {
  bool some = false;
  for (bool more = true; more;) {
    more = false;
    for (pid_t tid : numbers_in("/proc/" + std::to_string(process.pid) + "/task")) {
      // Whoever a tracee has made since is ours already, and told by its parent.
      if (threads_.contains(tid) || tracer_of(tid) == gettid()) continue;
      IMMURE_TRY(seize(tid, process));
      if (threads_.contains(tid)) more = some = true;
    }
  }
  return some;
}

Status Tracer::seize_all() {
  Status status;
  each_member(target_, [&](const Met& process) {
    // pid 1 of a jail runs nothing but immure's own code, and whoever started the jail may not look into it.
    if (!status || process.pid == target_.init) return false;
    Result<bool> some = seize_process(process);
    if (!some) status = tl::unexpected<Error>(std::move(some.error()));
    return some && *some;
  });
  return status;
}

// Lets a stranger go at its first stop, and those that it has made since.
bool Tracer::is_stranger(pid_t tid, int status) {
  if (!strangers_.contains(tid)) return false;
  if (WIFSTOPPED(status)) {
    const int signal = WSTOPSIG(status), event = status >> 16;
    unsigned long child = 0;
    const bool bears =
        event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE;
    if (bears && ptrace(PTRACE_GETEVENTMSG, tid, 0, &child) == 0)
      strangers_.insert(static_cast<pid_t>(child));
    ptrace(PTRACE_DETACH, tid, 0, static_cast<unsigned long>(event == 0 ? signal : 0));
  }
  strangers_.erase(tid);
  return true;
}

Status Tracer::attach() {
  IMMURE_TRY(seize_all());
  if (threads_.empty()) return fail(Code::kNoJail, target_.shown + " has ended", {}, "immure ps");
  return {};
}

}  // namespace immure::watch
