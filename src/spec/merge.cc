#include "spec/merge.h"

#include <algorithm>

#include "base/text.h"
#include "spec/limits.h"

namespace immure {

tl::unexpected<Error> loosens(const std::string& what, std::string why, std::string origin) {
  return fail(Code::kLoosens, what + " asks for more than this file may", std::move(why),
              "say it on the command line, or name the file with --profile if you trust it",
              std::move(origin));
}

namespace {

std::string from(const JailSpec& spec, Field field) { return spec.origin_text(spec.set_by_word(field)); }

Status root_narrows(const JailSpec& before, const JailSpec& after) {
  if (before.root.value != after.root.value)
    return loosens("--root", "another root shows other files", from(after, Field::Root));
  if (after.root_overlay && !before.root_overlay)
    return loosens("--overlay /", "the root would be writable", from(after, Field::RootOverlay));
  return {};
}

Status identity_narrows(const JailSpec& before, const JailSpec& after) {
  constexpr const char* kWhy = "another identity has other files and processes";
  if (before.uid != after.uid) return loosens("--user", kWhy, from(after, Field::Uid));
  if (before.gid != after.gid) return loosens("--group", kWhy, from(after, Field::Gid));
  if (std::max(after.id_range, 1u) > std::max(before.id_range, 1u))
    return loosens("--uid-range", "more identities would be mapped", from(after, Field::IdRange));
  if (after.as_root && !before.as_root)
    return loosens("--as-root", "the program would be uid 0 inside", from(after, Field::AsRoot));
  if ((after.caps_add & ~before.caps_add) != 0)
    return loosens("--cap-add", "the program would have more capabilities", from(after, Field::Caps));
  return {};
}

// Both lists are read in step. What `after` has in addition may only deny; what it lacks may only have
// allowed. A false alarm is possible where the same rule stands in both lists at different places, a false
// pass is not.
bool rules_narrow(const std::vector<SyscallRule>& before, const std::vector<SyscallRule>& after) {
  size_t at = 0;
  for (const SyscallRule& rule : after) {
    size_t match = at;
    auto is = [&](size_t i) { return before[i].name == rule.name && before[i].allow == rule.allow; };
    while (match < before.size() && !is(match) && before[match].allow) ++match;
    if (match < before.size() && is(match)) {
      at = match + 1;
    } else if (rule.allow) {
      return false;
    }
  }
  return std::all_of(before.begin() + static_cast<std::ptrdiff_t>(at), before.end(),
                     [](const SyscallRule& rule) { return rule.allow; });
}

Status filter_narrows(const JailSpec& before, const JailSpec& after) {
  bool same = before.seccomp == after.seccomp && before.seccomp_fd == after.seccomp_fd &&
              before.seccomp_program == after.seccomp_program;
  // strict allows four calls, fewer than anything else; no filter allows all, more than anything else.
  if (!same && after.seccomp != "strict" && before.seccomp != "none")
    return loosens("--seccomp", "the filters cannot be compared", from(after, Field::Seccomp));
  if (after.seccomp == "strict" || (before.seccomp == "none" && after.syscalls.empty())) return {};
  if (rules_narrow(before.syscalls, after.syscalls)) return {};
  std::string origin =
      after.syscalls.empty() ? std::string() : after.origin_text(after.syscalls.back().origin);
  return loosens("--allow-syscall", "more system calls would be allowed", origin);
}

bool subset(const std::vector<uint16_t>& small, const std::vector<uint16_t>& large) {
  return std::all_of(small.begin(), small.end(), [&](uint16_t port) {
    return std::find(large.begin(), large.end(), port) != large.end();
  });
}

Status network_narrows(const JailSpec& before, const JailSpec& after) {
  if (after.net == Net::Host && before.net != Net::Host)
    return loosens("--net host", "the host's network would be reachable", from(after, Field::Net));
  const LandlockSpec &old_rules = before.landlock, &rules = after.landlock;
  if (old_rules.restrict_connect && (!rules.restrict_connect || !subset(rules.connect, old_rules.connect)))
    return loosens("--landlock connect", "more ports could be reached", from(after, Field::Connect));
  if (old_rules.restrict_bind && (!rules.restrict_bind || !subset(rules.bind, old_rules.bind)))
    return loosens("--landlock bind", "more ports could be served", from(after, Field::Bind));
  return {};
}

struct LimitRow {
  std::optional<uint64_t> Limits::*value;
  Field field;
  const char* flag;
};
constexpr LimitRow kLimits[] = {
    {&Limits::memory, Field::Memory, "--memory"},
    {&Limits::pids, Field::Pids, "--pids"},
    {&Limits::cpus_milli, Field::Cpus, "--cpus"},
    {&Limits::cpu_time_ns, Field::CpuTime, "--cpu-time"},
    {&Limits::file_size, Field::FileSize, "--file-size"},
    {&Limits::open_files, Field::OpenFiles, "--open-files"},
    {&Limits::wall_time_ns, Field::WallTime, "--wall-time"},
    {&Limits::tmp_size, Field::TmpSize, "--tmp-size"},
};

Status limits_narrow(const JailSpec& before, const JailSpec& after, const Limits& defaults) {
  constexpr uint64_t kNoLimit = UINT64_MAX;
  for (const LimitRow& row : kLimits) {
    uint64_t old_limit = in_force(before.limits.*row.value, defaults.*row.value);
    uint64_t limit = in_force(after.limits.*row.value, defaults.*row.value);
    if ((limit == 0 ? kNoLimit : limit) > (old_limit == 0 ? kNoLimit : old_limit))
      return loosens(row.flag, "the limit would be higher", from(after, row.field));
  }
  // A longer one is more time, and none at all is no end after a plea: neither more nor less.
  if (before.limits.kill_after_ns.value_or(0) != after.limits.kill_after_ns.value_or(0))
    return loosens("--kill-after", "the program could have more time", from(after, Field::KillAfter));
  return {};
}

Status program_narrows(const JailSpec& before, const JailSpec& after) {
  if (after.keep_env && !before.keep_env)
    return loosens("--keep-env", "the whole environment would be passed", from(after, Field::KeepEnv));
  for (const EnvGrant& env : after.env) {
    if (env.value) continue;  // a value of its own reveals nothing
    bool known = before.keep_env || std::any_of(before.env.begin(), before.env.end(), [&](const EnvGrant& e) {
                   return !e.value && e.name == env.name;
                 });
    if (!known)
      return loosens("--pass-env " + printable(env.name), "a variable of the caller would be passed",
                     after.origin_text(env.origin));
  }
  for (const FdGrant& fd : after.fds) {
    bool known = std::any_of(before.fds.begin(), before.fds.end(), [&](const FdGrant& f) {
      return f.number == fd.number && f.path.value == fd.path.value && (f.writable || !fd.writable);
    });
    if (!known)
      return loosens("a descriptor", "it would be passed into the jail", after.origin_text(fd.origin));
  }
  // Without a terminal of its own the program has the caller's, where there is one.
  if (before.tty != after.tty)
    return loosens("--tty or --no-tty", "which terminal the program has is the caller's choice", from(after, Field::Tty));
  if (before.record_files.value != after.record_files.value)
    return loosens("--record-files", "a file would be written outside the jail", from(after, Field::RecordFiles));
  const WatchSpec &was = before.watch, &is = after.watch;
  if (was.level != is.level || was.source != is.source || was.json.value != is.json.value ||
      was.trace.value != is.trace.value || was.events != is.events ||
      was.baseline.value != is.baseline.value || was.expect != is.expect)
    return loosens("--watch", "what is told of a jail, and where it is written, is the caller's choice",
                   from(after, Field::Watch));
  if (before.clock_offset_s != after.clock_offset_s)
    return loosens("--clock-offset", "another clock is neither more nor less",
                   from(after, Field::ClockOffset));
  return {};
}

Status layers_narrow(const JailSpec& before, const JailSpec& after) {
  for (int i = 0; i < kLayerCount; ++i) {
    auto layer = static_cast<Layer>(i);
    // Need is ordered from Require to Off.
    if (after.need_of(layer) > before.need_of(layer))
      return loosens(std::string("--need ") + key(layer) + "=" + key(after.need_of(layer)),
                     "the layer could be missing", after.origin_text(after.need_by[static_cast<size_t>(i)]));
  }
  for (int i = 0; i < kWeakenCount; ++i) {
    auto weaken = static_cast<Weaken>(i);
    if (after.has(weaken) && !before.has(weaken))
      return loosens(std::string("--weaken ") + key(weaken), sentence(weaken),
                     after.origin_text(after.weaken[static_cast<size_t>(i)]));
  }
  return {};
}

}  // namespace

Status only_narrows(const JailSpec& before, const JailSpec& after, const Limits& defaults) {
  IMMURE_TRY(root_narrows(before, after));
  IMMURE_TRY(grants_only_narrow(before, after, defaults));
  IMMURE_TRY(identity_narrows(before, after));
  IMMURE_TRY(filter_narrows(before, after));
  IMMURE_TRY(network_narrows(before, after));
  IMMURE_TRY(limits_narrow(before, after, defaults));
  IMMURE_TRY(program_narrows(before, after));
  return layers_narrow(before, after);
}

}  // namespace immure
