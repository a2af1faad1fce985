// Resource limits of one process. What binds the whole jail is the control group (cgroup.cc); these are the
// second line, and without a group the supervisor sums (sum_* of the plan).
#include <sys/resource.h>

#include <algorithm>

#include "base/text.h"
#include "plan/builder.h"

namespace immure {
namespace {

constexpr uint64_t kMostOpenFiles = 65536;   // what a program may raise the default to
// What waits for delivery, timers included, and the bytes of message queues are counted for who made the user namespace
// as well: a jail must leave the host's root, or its caller, the most of theirs.
constexpr uint64_t kMostWaiting = 4096, kMostQueues = 1 << 20, kShare = 4;

// Never above what the caller may: a limit that is tighter already stays.
void rlimit(Builder& b, int resource, uint64_t soft, uint64_t hard) {
  hard = std::min(hard, b.host.hard_limits[static_cast<size_t>(resource)]);
  soft = std::min(soft, hard);
  Step& step = b.add(Op::Rlimit, Side::Child, Layer::Rlimits);
  step.x = static_cast<uint64_t>(resource);
  step.y = soft;
  step.z = hard;
  b.plan.rlimits.push_back({resource, soft, hard});
}

bool group_counts_processes(const Builder& b) {
  for (const CgroupDir& dir : b.plan.cgroup)
    for (const auto& [file, value] : dir.writes)
      if (file == "pids.max") return true;
  return false;
}

}  // namespace

Status plan_limits(Builder& b) {
  const Limits& limits = b.spec.limits;
  if (b.wants(Layer::Rlimits)) {
    if (!b.spec.has(Weaken::CoreDumps)) rlimit(b, RLIMIT_CORE, 0, 0);
    uint64_t file_size = in_force(limits.file_size, b.defaults.file_size);
    b.plan.file_size_limit = file_size;
    if (file_size != 0) rlimit(b, RLIMIT_FSIZE, file_size, file_size);
    uint64_t open_files = in_force(limits.open_files, b.defaults.open_files);
    if (open_files != 0) rlimit(b, RLIMIT_NOFILE, open_files, limits.open_files ? open_files : kMostOpenFiles);
    uint64_t pids = in_force(limits.pids, b.defaults.pids);
    // Counted for each user namespace and each id; pid 1 and the program have the same one. A group counts
    // the same, and tells how often it refused: it has to come to its limit first.
    uint64_t own = pids + (group_counts_processes(b) ? 1 : 0);
    if (pids != 0 && b.user_ns) rlimit(b, RLIMIT_NPROC, own, own);
    auto share = [&](int resource, uint64_t most) {
      uint64_t limit = std::min(b.host.hard_limits[static_cast<size_t>(resource)] / kShare, most);
      rlimit(b, resource, limit, limit);
    };
    share(RLIMIT_SIGPENDING, kMostWaiting);
    share(RLIMIT_MSGQUEUE, kMostQueues);
    if (limits.cpu_time_ns && *limits.cpu_time_ns != 0) {
      uint64_t seconds = (*limits.cpu_time_ns + 999999999) / 1000000000;
      rlimit(b, RLIMIT_CPU, seconds, seconds + 1);
    }
    b.layer(Layer::Rlimits).mechanism = "file size, open files, processes, no core dumps";
  }
  b.plan.wall_limit_ns = limits.wall_time_ns.value_or(0);
  b.plan.kill_after_ns = limits.kill_after_ns.value_or(0);
  b.add(Op::Umask, Side::Child, Layer::Fds).x = 077;
  b.add(Op::ResetInherited, Side::Child, Layer::Fds);
  if (b.wants(Layer::Keyring)) {
    b.add(Op::KeyringJoin, Side::Child, Layer::Keyring);
    b.layer(Layer::Keyring).mechanism = "own session keyring; the key calls are denied";
  }
  return {};
}

}  // namespace immure
