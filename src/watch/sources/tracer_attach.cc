// How a tracer gets hold of what already runs: threads and children may come while they are looked for, so it
// looks until nobody is new. Children of who is traced already are traced from their birth on.
#include <dirent.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>

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

// Who traces it; -1: it has ended, or is gone.
pid_t tracer_of(pid_t tid) {
  std::array<char, 4096> buffer;
  const ProcStatus status =
      parse_status(read_view(("/proc/" + std::to_string(tid) + "/status").c_str(), buffer));
  return status.pid < 0 || status.state == 'Z' || status.state == 'X' ? -1 : status.tracer;
}

}  // namespace

Status Tracer::seize(pid_t tid, pid_t pid) {
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
  add(tid, pid);
  // Nobody is stopped by being seized. To see calls, each has to be stopped once.
  if (!target_.stops_for_tracer) ptrace(PTRACE_INTERRUPT, tid, 0, 0);
  return {};
}

Result<bool> Tracer::seize_process(pid_t pid) {
  bool some = false;
  for (bool more = true; more;) {
    more = false;
    for (pid_t tid : numbers_in("/proc/" + std::to_string(pid) + "/task")) {
      // Whoever a tracee has made since is ours already, and told by its parent.
      if (threads_.contains(tid) || tracer_of(tid) == gettid()) continue;
      IMMURE_TRY(seize(tid, pid));
      if (threads_.contains(tid)) more = some = true;
    }
  }
  return some;
}

Status Tracer::seize_all() {
  Status status;
  each_member(target_, [&](int32_t pid) {
    // pid 1 of a jail runs nothing but immure's own code, and whoever started the jail may not look into it.
    if (!status || pid == target_.init) return false;
    Result<bool> some = seize_process(pid);
    if (!some) status = tl::unexpected<Error>(std::move(some.error()));
    return some && *some;
  });
  return status;
}

Status Tracer::attach() {
  IMMURE_TRY(seize_all());
  if (threads_.empty()) return fail(Code::kNoJail, target_.shown + " has ended", {}, "immure ps");
  return {};
}

}  // namespace immure::watch
