#include "respond/halt.h"

#include <signal.h>
#include <time.h>

#include <algorithm>

#include "base/text.h"
#include "kernel/cgroup.h"

namespace immure::respond {
namespace {

constexpr int kRounds = 500;
constexpr uint64_t kPatience = 2'000'000'000;

void nap() {
  timespec pause{0, 2'000'000};
  nanosleep(&pause, nullptr);
}

tl::unexpected<Error> has_ended(const Target& target) {
  return fail(Code::kNoJail, quoted(target.shown()) + " has ended", {}, "immure ps lists jails that run");
}

// pid 1 of the namespace first, and parents before children, who would else be told of it.
Result<std::vector<Member>> stop_each(const Target& target, size_t& count) {
  std::vector<Member> stopped;
  for (int round = 0; round < kRounds; ++round) {
    bool quiet = true;
    const std::vector<Member> members = target.members();
    for (const Member& member : members) {
      if (at_rest(member.pid)) continue;
      quiet = false;
      const bool known = std::any_of(stopped.begin(), stopped.end(), [&](const Member& other) {
        return other.pid == member.pid && other.began == member.began;
      });
      if (signal(member, SIGSTOP) && !known) stopped.push_back(member);
    }
    if (quiet) {
      count = members.size();
      return stopped;
    }
    nap();
  }
  for (const Member& member : stopped) signal(member, SIGCONT);
  return fail(Code::kSystem, quoted(target.shown()) + " cannot be frozen", "new processes keep coming",
              "immure respond … kill ends it");
}

}  // namespace

Result<Halted> stop(const Target& target) {
  Halted halted;
  halted.count = target.members().size();
  if (halted.count == 0) return has_ended(target);
  halted.group = target.own_group();
  if (!halted.group.empty() && freeze({halted.group, "unified"}, true, kPatience)) {
    halted.how = How::Group;
    return halted;
  }
  auto stopped = stop_each(target, halted.count);
  if (!stopped) return tl::unexpected<Error>(std::move(stopped.error()));
  halted.members = std::move(*stopped);
  return halted;
}

Status go_on(const Halted& halted) {
  if (halted.how == How::Group) return freeze({halted.group, "unified"}, false, kPatience);
  for (auto member = halted.members.rbegin(); member != halted.members.rend(); ++member)
    signal(*member, SIGCONT);
  return {};
}

Status thaw(const Target& target) {
  const std::vector<Member> members = target.members();
  if (members.empty()) return has_ended(target);
  if (const std::string group = target.own_group(); !group.empty())
    IMMURE_TRY(freeze({group, "unified"}, false, kPatience));
  for (auto member = members.rbegin(); member != members.rend(); ++member) signal(*member, SIGCONT);
  return {};
}

Result<size_t> end(const Target& target) {
  size_t count = target.members().size();
  if (count == 0) return has_ended(target);
  // Who is stopped has no more children: the set holds still before it is ended. Of a frozen group nobody
  // would die.
  size_t stopped = 0;
  if (auto held = stop_each(target, stopped); held) count = std::max(count, stopped);
  if (const std::string group = target.own_group(); !group.empty()) {
    (void)freeze({group, "unified"}, false, 0);
    (void)kill_group({group, "unified"});
  }
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<Member> members = target.members();
    if (members.empty()) return count;
    for (const Member& member : members) signal(member, SIGKILL);
    nap();
  }
  return fail(Code::kSystem, "not all processes of " + quoted(target.shown()) + " could be ended",
              "some wait in the kernel, or new ones keep coming", "try again");
}

}  // namespace immure::respond
