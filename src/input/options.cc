#include "input/options.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "input/setters.h"

namespace immure {
namespace {

constexpr auto V = Takes::Value;
constexpr auto F = Takes::Nothing;
constexpr auto O = Takes::Optional;

// One row an option, in the order of --help. A row whose last word is true has a line of its own there.
// clang-format off
constexpr auto kOptions = std::to_array<Option>({
    // name, takes, repeats, group, value, help, setter, holds, common
    {"profile", V, true, OptionGroup::Roots, "NAME|FILE", "minimal, shell, build, project, or a TOML file", nullptr, Holds::HostPathOrWord, true},
    {"root", V, false, OptionGroup::Roots, "DIR", "a prepared root; else /usr of the host, read-only", set::root, Holds::HostPath, true},
    {"build", F, false, OptionGroup::Roots, "", "make a root with what CMD needs, and use that", nullptr},
    {"overlay", V, true, OptionGroup::Roots, "SRC[:DST]", "writable, what is written is thrown away; / too", set::overlay, Holds::HostPathFirst, true},

    {"bind", V, true, OptionGroup::Files, "SRC[:DST][:try]", "show a path of the outside, writable", set::bind, Holds::HostPathFirst, true},
    {"ro-bind", V, true, OptionGroup::Files, "SRC[:DST][:try]", "read-only; :try skips what is missing", set::ro_bind, Holds::HostPathFirst, true},
    {"tmpfs", V, true, OptionGroup::Files, "PATH[:SIZE]", "an empty directory in memory", set::tmpfs, Holds::Text, true},
    {"file", V, true, OptionGroup::Files, "SRC:DST", "one file, read-only, wherever it is", set::file, Holds::HostPathFirst},
    {"dir", V, true, OptionGroup::Files, "PATH", "an empty directory", set::dir},
    {"symlink", V, true, OptionGroup::Files, "TARGET:PATH", "a symbolic link at PATH", set::symlink},
    {"dev", V, true, OptionGroup::Files, "NODE", "a device node, such as /dev/fuse", set::dev},
    {"proc", V, true, OptionGroup::Files, "PATH", "/proc, which is there anyway", set::proc},

    {"user", V, false, OptionGroup::Identity, "UID", "the user id inside", set::user, Holds::Number},
    {"group", V, false, OptionGroup::Identity, "GID", "the group id inside", set::group, Holds::Number},
    {"uid-range", V, false, OptionGroup::Identity, "N", "map the ids 0 to N-1, by newuidmap", set::uid_range, Holds::Number},
    {"as-root", F, false, OptionGroup::Identity, "", "uid 0 inside, nobody outside", set::as_root, Holds::Text, true},

    {"cap-add", V, true, OptionGroup::Privilege, "NAME", "a capability inside, such as net_bind_service", set::cap_add, Holds::Text, true},
    {"allow-syscall", V, true, OptionGroup::Privilege, "NAME|@SET", "a system call that the filter denies", set::allow_syscall, Holds::Text, true},
    {"deny-syscall", V, true, OptionGroup::Privilege, "NAME|@SET", "a system call that the filter allows", set::deny_syscall},
    {"seccomp", V, false, OptionGroup::Privilege, "FILE|strict|none", "an OCI or Docker JSON filter, four calls, or none", set::seccomp, Holds::HostPathOrWord, true},
    {"landlock", V, true, OptionGroup::Privilege, "RULE", "TCP ports: connect=443,bind=8080, connect=none", set::landlock, Holds::Text, true},
    {"need", V, true, OptionGroup::Privilege, "LAYER=require|prefer|off", "what happens when a layer cannot be had", set::need, Holds::Text, true},
    {"weaken", V, true, OptionGroup::Privilege, "NAME", "give up one protection; every report says so", set::weaken, Holds::Text, true},

    {"memory", V, false, OptionGroup::Limits, "SIZE", "memory of the whole jail", set::memory, Holds::Text, true},
    {"pids", V, false, OptionGroup::Limits, "N", "processes and threads of the whole jail", set::pids},
    {"cpus", V, false, OptionGroup::Limits, "N", "processors, such as 1.5", set::cpus},
    {"cpu-time", V, false, OptionGroup::Limits, "TIME", "processor time", set::cpu_time},
    {"wall-time", V, false, OptionGroup::Limits, "TIME", "end the jail after this time (status 124)", set::wall_time, Holds::Text, true},
    {"kill-after", V, false, OptionGroup::Limits, "TIME", "from the polite signal to SIGKILL", set::kill_after},
    {"file-size", V, false, OptionGroup::Limits, "SIZE", "largest file that can be written", set::file_size},
    {"open-files", V, false, OptionGroup::Limits, "N", "descriptors of a process", set::open_files},
    {"tmp-size", V, false, OptionGroup::Limits, "SIZE", "size of /tmp and of every tmpfs without its own", set::tmp_size},

    {"env", V, true, OptionGroup::Program, "K=V", "set a variable", set::env, Holds::Text, true},
    {"pass-env", V, true, OptionGroup::Program, "K", "pass a variable of the caller", set::pass_env, Holds::Text, true},
    {"keep-env", F, false, OptionGroup::Program, "", "pass the whole environment", set::keep_env},
    {"cwd", V, false, OptionGroup::Program, "PATH", "working directory inside", set::cwd, Holds::Text, true},
    {"fd", V, true, OptionGroup::Program, "N=PATH:ro|rw", "open a file as descriptor N", set::fd, Holds::NumberHostPath},
    {"pass-fd", V, true, OptionGroup::Program, "N", "pass an open descriptor", set::pass_fd, Holds::Number},
    {"tty", F, false, OptionGroup::Program, "", "an own terminal, also when stdin is none", set::tty},
    {"no-tty", F, false, OptionGroup::Program, "", "no terminal, also when stdin is one", set::no_tty},

    {"net", V, false, OptionGroup::Isolation, "none|host", "loopback only, or the network of the host", set::net, Holds::Text, true},
    {"hostname", V, false, OptionGroup::Isolation, "NAME", "host name inside", set::hostname},
    {"clock-offset", V, false, OptionGroup::Isolation, "TIME", "shift the uptime inside", set::clock_offset},
    {"name", V, false, OptionGroup::Isolation, "NAME", "how ps, exec and kill know the jail", set::name},

    {"dry-run", F, false, OptionGroup::Output, "", "show the steps and layers, run nothing", nullptr, Holds::Text, true},
    {"json", F, false, OptionGroup::Output, "", "report as JSON", set::json},
    {"status-fd", V, false, OptionGroup::Output, "N", "report as JSON on descriptor N", set::status_fd, Holds::Number},
    {"record-files", V, false, OptionGroup::Output, "FILE", "write which files the program asked for", set::record_files, Holds::HostPath},
    {"watch", O, false, OptionGroup::Output, "LEVEL", "process, security, opens, files, all", set::watch, Holds::Text, true},
    {"watch-source", V, false, OptionGroup::Output, "NAME", "auto, notify, ebpf or ptrace", set::watch_source},
    {"watch-json", V, false, OptionGroup::Output, "FILE", "write each event as a line of JSON", set::watch_json, Holds::HostPath},
    {"watch-trace", V, false, OptionGroup::Output, "FILE", "write a trace of the events", set::watch_trace, Holds::HostPath},
    {"watch-baseline", V, false, OptionGroup::Output, "FILE", "tell what is new against ordinary work", set::watch_baseline, Holds::HostPath},
    {"watch-expect", V, false, OptionGroup::Output, "PROFILE", "tell what is outside a profile", set::watch_expect},
    {"watch-events", F, false, OptionGroup::Output, "", "each event on standard error", set::watch_events},
    {"timings", F, false, OptionGroup::Output, "", "time of each phase", set::timings},
    {"quiet", F, false, OptionGroup::Output, "", "errors only (-q)", set::quiet},
    {"verbose", F, false, OptionGroup::Output, "", "every layer (-v)", set::verbose},
    {"help", F, false, OptionGroup::Output, "", "this page (-h)", nullptr},
});
// clang-format on

}  // namespace

std::span<const Option> options() { return kOptions; }

const Option* find_option(std::string_view name) {
  for (const Option& option : kOptions) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

namespace {

// What other launchers call it, or what need not be said here.
struct Elsewhere {
  std::string_view name;
  const char* here;
};
constexpr Elsewhere kElsewhere[] = {
    {"volume", "--bind SRC:DST, or --ro-bind, shows a path of the outside"},
    {"mount", "--bind SRC:DST, or --ro-bind, shows a path of the outside"},
    {"readonly", "--ro-bind SRC shows a path read-only"},
    {"read-only", "--ro-bind SRC shows a path read-only; the root is read-only by default"},
    {"network", "--net none (the default) or --net host"},
    {"no-net", "there is no network by default"},
    {"unshare-net", "there is no network by default"},
    {"unshare-all", "all namespaces are the jail's own by default"},
    {"die-with-parent", "the jail ends with immure in any case"},
    {"new-session", "the program has a session of its own in any case"},
    {"cap-drop", "there is no capability by default"},
    {"rm", "nothing of a jail is kept"},
    {"it", "a terminal is given when there is one; --tty gives one always"},
    {"timeout", "--wall-time TIME ends the jail after it"},
    {"workdir", "--cwd PATH"},
    {"chdir", "--cwd PATH"},
    {"setenv", "--env K=V"},
    {"uid", "--user UID"},
    {"gid", "--group GID"},
    {"privileged", "--weaken, --allow-syscall and --cap-add open one thing each; see man immure-run"},
};

}  // namespace

std::string suggest_option(std::string_view name) {
  for (const Elsewhere& other : kElsewhere)
    if (other.name == name) return other.here;
  std::array<std::string_view, kOptions.size()> names;
  for (size_t i = 0; i < names.size(); ++i) names[i] = kOptions[i].name;
  std::string_view best = nearest(name, names);
  // A beginning that only one has.
  auto begins = [&](std::string_view one) { return one.starts_with(name); };
  if (best.empty() && name.size() >= 3 && std::count_if(names.begin(), names.end(), begins) == 1)
    best = *std::find_if(names.begin(), names.end(), begins);
  return best.empty() ? std::string() : "did you mean --" + std::string(best) + "?";
}

Status apply(Jail& jail, const Word& word) {
  if (word.option == nullptr || word.option->apply == nullptr) {
    return fail(Code::kUsage, "an option that cannot be said here", {}, "say it on the command line",
                word.origin);
  }
  OriginId origin = jail.spec.add_origin(word.origin);
  Status done = word.option->apply(jail, word.value, origin);
  if (!done && done.error().origin.empty()) done.error().origin = word.origin;
  return done;
}

std::string_view name(OptionGroup group) {
  switch (group) {
    case OptionGroup::Roots: return "Root";
    case OptionGroup::Files: return "Files";
    case OptionGroup::Identity: return "Identity";
    case OptionGroup::Privilege: return "Privilege";
    case OptionGroup::Limits: return "Limits";
    case OptionGroup::Program: return "Program";
    case OptionGroup::Isolation: return "Isolation";
    case OptionGroup::Output: return "Output";
  }
  return "";
}

}  // namespace immure
