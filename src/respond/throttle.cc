#include "respond/throttle.h"

#include <dirent.h>
#include <sched.h>

#include "base/text.h"
#include "kernel/cgroup.h"

namespace immure::respond {
namespace {

// sched(7), since 2.6.23. How many threads have it now.
size_t make_idle(const Member& member) {
  size_t count = 0;
  DIR* tasks = opendir(("/proc/" + num_signed(member.pid) + "/task").c_str());
  if (tasks == nullptr) return 0;
  const sched_param none{};
  while (const dirent* entry = readdir(tasks))
    if (auto thread = parse_u64(entry->d_name))
      count += sched_setscheduler(static_cast<pid_t>(*thread), SCHED_IDLE, &none) == 0 ? 1 : 0;
  closedir(tasks);
  return count;
}

}  // namespace

Result<Throttled> throttle(const Target& target) {
  const std::vector<Member> members = target.members();
  if (members.empty()) return fail(Code::kNoJail, quoted(target.shown()) + " has ended");
  if (const std::string group = target.own_group();
      !group.empty() && write_group(group, "cpu.max", "10000 100000"))
    return Throttled::Group;
  size_t threads = 0;
  for (const Member& member : members) threads += make_idle(member);
  if (threads == 0)
    return fail(Code::kSystem, quoted(target.shown()) + " cannot be throttled",
                "it has no control group of its own, and its threads are somebody else's",
                "ask as root, or freeze it");
  return Throttled::Idle;
}

}  // namespace immure::respond
