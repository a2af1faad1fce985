#include "watch/sources/audit_members.h"

#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <set>
#include <string>

#include "kernel/proc.h"
#include "watch/clock.h"
#include "watch/sources/members.h"

namespace immure::watch {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kLate = kSecond / 5;    // how long the record of an end may come after the end
constexpr uint64_t kForget = 2 * kSecond;  // a child may still be told of whose parent has ended
constexpr size_t kMostStrangers = 4096, kMostChildren = 65536, kMostRanges = 8;
// What a birth is told with; the rest is how, and not what.
constexpr uint64_t kOfBirth = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_NEWNS | CLONE_NEWCGROUP |
                              CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr unsigned kSetuid = 7, kAuditControl = 30;  // CAP_SETUID, CAP_AUDIT_CONTROL

std::string file_of(int32_t pid, const char* name) { return "/proc/" + std::to_string(pid) + "/" + name; }

ProcStatus status_of(int32_t pid, std::array<char, 4096>& text) {
  return parse_status(read_view(file_of(pid, "status").c_str(), text));
}

std::optional<uint32_t> session_of(int32_t pid) {
  std::array<char, 64> text;
  std::string_view read = read_view(file_of(pid, "sessionid").c_str(), text);
  uint64_t number = 0;
  if (read.empty() || read.size() > 10) return {};
  for (char one : read) {
    if (one == '\n') break;
    if (one < '0' || one > '9') return {};
    number = number * 10 + static_cast<uint64_t>(one - '0');
  }
  if (number >= ~uint32_t{0}) return {};
  return static_cast<uint32_t>(number);
}

// Whether a process began when the call that may have made it was made: its parent may have ended since.
bool began_at(int32_t pid, uint64_t milliseconds) {
  constexpr uint64_t kNear = 2000;
  std::array<char, 1024> text;
  const auto stat = parse_stat(read_view(file_of(pid, "stat").c_str(), text));
  const long ticks = sysconf(_SC_CLK_TCK);
  if (!stat || ticks <= 0) return false;
  timespec wall{}, boot{};
  clock_gettime(CLOCK_REALTIME, &wall);
  clock_gettime(CLOCK_BOOTTIME, &boot);
  const int64_t ahead = (wall.tv_sec - boot.tv_sec) * 1000 + (wall.tv_nsec - boot.tv_nsec) / 1'000'000;
  const auto began = static_cast<int64_t>(stat->start_ticks * 1000 / static_cast<uint64_t>(ticks)) + ahead;
  const int64_t apart = began - static_cast<int64_t>(milliseconds);
  return apart > -static_cast<int64_t>(kNear) && apart < static_cast<int64_t>(kNear);
}

// The ids that a user namespace has, as the host numbers them. Nobody inside it or below gets another.
std::vector<std::pair<uint32_t, uint32_t>> mapped_ids(int32_t pid) {
  std::array<char, 4096> text;
  std::string_view rest = read_view(file_of(pid, "uid_map").c_str(), text), line;
  std::vector<std::pair<uint32_t, uint32_t>> out;
  while (next_line(rest, line)) {
    const auto range = parse_id_map_line(line);
    if (!range || range->count == 0) return {};
    if (range->count == ~uint32_t{0} || out.size() >= kMostRanges) return {};
    out.emplace_back(range->outside, range->outside + (range->count - 1));
  }
  return out;
}

}  // namespace

AuditMembers::AuditMembers(const Target& target, int poll)
    : target_(target), everything_(target.everything), poll_(poll), here_(ns_inode(0, "pid")) {
  const uint64_t jail = target.init > 0 ? ns_inode(target.init, "pid") : 0;
  if (jail != here_) jail_ = jail;
}

void AuditMembers::begin(std::vector<int32_t> own) {
  own_.insert(own.begin(), own.end());
  own_.insert(getpid());
  if (!everything_)
    each_member(target_, [this](const Met& one) {
      return !members_.contains(one.pid) && is_still(one) && add(one.pid, 0);
    });
}

AuditScope AuditMembers::scope() const {
  AuditScope scope;
  if (everything_) {
    scope.not_pids.assign(own_.begin(), own_.end());
    scope.not_parents = {getpid()};
    return scope;
  }
  const int32_t first = target_.init > 0 ? target_.init : target_.roots.empty() ? 0 : target_.roots[0];
  const bool alone = target_.roots.size() <= 1;
  if (alone && ns_inode(first, "user") != 0 && ns_inode(first, "user") != ns_inode(0, "user")) {
    const bool same = std::all_of(members_.begin(), members_.end(), [&](const auto& one) {
      const uint64_t user = ns_inode(one.first, "user");
      return user == 0 || user != ns_inode(0, "user");
    });
    if (same) scope.uids = mapped_ids(first);
    if (!scope.uids.empty()) return scope;
  }
  // Ids and sessions that nobody there can change any more.
  std::set<uint32_t> uids, sessions;
  bool keeps_ids = !members_.empty(), keeps_session = keeps_ids;
  for (const auto& [pid, member] : members_) {
    std::array<char, 4096> text;
    const ProcStatus status = status_of(pid, text);
    if (status.pid < 0) continue;
    const uint64_t rights = status.no_new_privs == 1 ? status.cap_permitted : status.cap_bounding;
    keeps_ids &= status.has_caps && status.no_new_privs == 1 && (rights >> kSetuid & 1) == 0;
    keeps_session &= status.has_caps && (rights >> kAuditControl & 1) == 0;
    uids.insert(std::begin(status.uid), std::end(status.uid));
    const auto session = session_of(pid);
    keeps_session &= session.has_value();
    if (session) sessions.insert(*session);
  }
  if (keeps_ids && uids.size() <= kMostRanges)
    for (uint32_t uid : uids) scope.uids.emplace_back(uid, uid);
  else if (keeps_session && sessions.size() == 1)
    scope.session = *sessions.begin();
  return scope;
}

// False: it has ended.
bool AuditMembers::add(int32_t pid, int32_t parent) {
  Member member;
  member.parent = parent;
  member.handle = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  const bool gone = !member.handle && errno != EMFILE && errno != ENFILE;
  const auto of_parent = members_.find(parent);
  const uint64_t numbers = gone ? 0 : ns_inode(pid, "pid");
  if (numbers != 0)
    member.first_numbers = numbers == here_;
  else
    member.first_numbers = of_parent != members_.end() && of_parent->second.first_numbers;
  if (gone) {
    if (parent == 0) return false;
    member.ended = monotonic_now();  // its records are still under way
  }
  if (member.handle) {
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    wanted.data.u64 = static_cast<uint64_t>(pid);
    epoll_ctl(poll_, EPOLL_CTL_ADD, member.handle.get(), &wanted);
  }
  const auto [place, fresh] = members_.try_emplace(pid);
  if (!fresh && place->second.ended == 0) alive_--;  // its number is another's now
  if (!gone) alive_++;
  place->second = std::move(member);
  ending_.erase(pid);
  if (gone) ending_.insert(pid);
  return true;
}

// Whoever entered the jail's namespace has a parent outside.
bool AuditMembers::is_inside(int32_t pid) {
  if (jail_ == 0) return false;
  if (ns_inode(pid, "pid") == jail_) return true;
  if (strangers_.size() >= kMostStrangers) strangers_.clear();
  strangers_.insert(pid);
  return false;
}

bool AuditMembers::join(int32_t pid, int32_t ppid, uint64_t time, const Tell& tell) {
  const auto child = children_.find(pid);
  const int32_t told = child != children_.end() ? child->second : 0;
  const bool descends = members_.contains(ppid) || (told != 0 && members_.contains(told));
  if (!descends && (strangers_.contains(pid) || !is_inside(pid))) return false;
  const int32_t parent = told != 0 ? told : ppid;
  if (child != children_.end()) children_.erase(child);
  strangers_.erase(pid);
  add(pid, parent != 0 ? parent : 1);
  tell_born(pid, parent, 0, time, tell);
  return true;
}

bool AuditMembers::take(const AuditEvent& event, const Tell& tell) {
  if (own_.contains(event.pid)) return false;
  if (everything_) return !own_.contains(event.ppid);
  const auto found = members_.find(event.pid);
  if (found != members_.end() && !(found->second.told_end && event.call &&
                                   found->second.parent != event.ppid && members_.contains(event.ppid)))
    return true;
  return event.call ? join(event.pid, event.ppid, event.stamp.milliseconds, tell) : false;
}

void AuditMembers::born(const AuditEvent& event, const Tell& tell) {
  const std::string_view name = name_of_call(event.arch, event.nr);
  const bool clone = name == "clone", clone3 = name == "clone3";
  if (!clone && !clone3 && name != "fork" && name != "vfork") return;
  if (!event.returned || event.result <= 0 || event.result > INT32_MAX) return;
  const auto child = static_cast<int32_t>(event.result);
  uint64_t flags = clone ? event.args[0] : 0;
  if (name == "vfork") flags = CLONE_VM | CLONE_VFORK;
  if ((flags & CLONE_THREAD) != 0) return;
  const auto found = members_.find(event.pid);
  const bool numbers = everything_ ? ns_inode(event.pid, "pid") == here_
                                   : found != members_.end() && found->second.first_numbers;
  if (!numbers || (!everything_ && members_.contains(child) && !members_[child].told_end)) return;
  std::array<char, 4096> text;
  const ProcStatus status = status_of(child, text);
  if (status.pid < 0 &&
      everything_) {  // gone, and told of by nothing else; of clone3 it may have been a thread
    if (!clone3) tell_born(child, event.pid, flags & kOfBirth, event.stamp.milliseconds, tell);
    return;
  }
  if (status.pid < 0) {
    if (children_.size() >= kMostChildren) children_.clear();
    children_[child] = event.pid;
    return;
  }
  // A thread's number, or another process's by now.
  if (status.tgid != child || (status.ppid != event.pid && !began_at(child, event.stamp.milliseconds)))
    return;
  if (!everything_) add(child, event.pid);
  tell_born(child, event.pid, flags & kOfBirth, event.stamp.milliseconds, tell);
}

void AuditMembers::after(const AuditEvent& event, const Tell& tell) {
  if (event.what == AuditEvent::What::Fault) {
    tell_end(event.pid, event.result, event.stamp.milliseconds, tell);
    return;
  }
  if (event.what != AuditEvent::What::Call) return;
  born(event, tell);
  if (event.returned || name_of_call(event.arch, event.nr) != "exit_group") return;
  tell_end(event.pid, static_cast<int64_t>(event.args[0] & 0xff) << 8, event.stamp.milliseconds, tell);
}

void AuditMembers::tell_born(int32_t pid, int32_t parent, uint64_t flags, uint64_t time, const Tell& tell) {
  RecordWriter writer(kStageBorn);
  writer.head().pid = writer.head().tid = pid;
  writer.head().args[0] = static_cast<uint64_t>(parent);
  writer.head().args[1] = flags;
  tell(writer, time);
}

void AuditMembers::tell_end(int32_t pid, int64_t status, uint64_t time, const Tell& tell) {
  const auto found = members_.find(pid);
  if (found != members_.end()) {
    if (found->second.told_end) return;
    found->second.told_end = true;
  } else if (!everything_) {
    return;
  }
  RecordWriter writer(kStageEnded);
  writer.head().pid = writer.head().tid = pid;
  writer.head().result = status;
  tell(writer, time);
}

void AuditMembers::ended(int32_t pid, uint64_t now) {
  const auto found = members_.find(pid);
  if (found == members_.end() || found->second.ended != 0) return;
  found->second.handle.reset();
  found->second.ended = now;
  ending_.insert(pid);
  alive_--;
}

void AuditMembers::tick(uint64_t now, bool all, const Tell& tell) {
  // Who has no handle, for there were too many descriptors.
  for (auto& [pid, member] : members_)
    if (member.ended == 0 && !member.handle && ::kill(pid, 0) != 0 && errno == ESRCH) ended(pid, now);
  for (auto one = ending_.begin(); one != ending_.end();) {
    const int32_t pid = *one;
    const Member& member = members_[pid];
    if (all || now - member.ended >= kLate) tell_end(pid, -1, 0, tell);
    if (now - member.ended < kForget) {
      ++one;
      continue;
    }
    one = ending_.erase(one);
    members_.erase(pid);
  }
}

}  // namespace immure::watch
