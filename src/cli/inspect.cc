#include "cli/inspect.h"

#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/jail_state.h"
#include "kernel/capabilities.h"
#include "kernel/mountinfo.h"
#include "run/report.h"

namespace immure::cli {
using namespace audit;
namespace {

constexpr const char* kHelp =
    "usage: immure inspect [--json] PID|NAME\n"
    "\n"
    "Shows what holds a process, whoever started it: namespaces, ids and maps, the\n"
    "five capability sets, seccomp, control groups and limits, mounts with their\n"
    "flags, and every descriptor, inside or outside of what its mount table shows.\n"
    "Nothing is changed or stopped.\n"
    "\n"
    "  --json   one document, schema immure.inspect/1\n"
    "  PID      a number, or \"self\"\n"
    "  NAME     a running jail: the first process of its program\n";

void optional_number(JsonWriter& json, std::string_view key, std::optional<uint64_t> value) {
  // A limit of "none" is a word, so that it is not taken for a large number; what is not told is null.
  if (!value)
    json.null(key);
  else if (*value == kNoLimit)
    json.text(key, "none");
  else
    json.number(key, static_cast<int64_t>(*value));
}

void unknown_or(JsonWriter& json, std::string_view key, int64_t value) {
  if (value < 0)
    json.null(key);
  else
    json.number(key, value);
}

void ids_json(JsonWriter& json, const Inspection& p) {
  const char* names[] = {"real", "effective", "saved", "filesystem"};
  json.begin_object("uid");
  for (int i = 0; i < 4; i++) json.number(names[i], p.status.uid[i]);
  json.end_object().begin_object("gid");
  for (int i = 0; i < 4; i++) json.number(names[i], p.status.gid[i]);
  json.end_object().begin_array("groups");
  std::string_view rest = p.status.groups;
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest))
    json.number({}, static_cast<int64_t>(parse_u64(word).value_or(0)));
  json.end_array();
  struct Map {
    const char* name;
    const std::optional<std::vector<IdRange>>* ranges;
  };
  for (const Map& map : {Map{"uid_map", &p.uid_map}, Map{"gid_map", &p.gid_map}}) {
    if (!*map.ranges) {
      json.null(map.name);
      continue;
    }
    json.begin_array(map.name);
    for (const IdRange& range : **map.ranges)
      json.begin_object()
          .number("inside", range.inside)
          .number("outside", range.outside)
          .number("count", range.count)
          .end_object();
    json.end_array();
  }
}

void namespaces_json(JsonWriter& json, const Inspection& p) {
  json.begin_object("namespaces");
  for (const NamespaceView& ns : p.namespaces) {
    json.begin_object(ns.kind);
    if (ns.inode != 0)
      json.number("inode", static_cast<int64_t>(ns.inode));
    else
      json.null("inode");
    json.text("whose", name(ns.whose)).end_object();
  }
  json.end_object();
}

void set_json(JsonWriter& json, std::string_view key, uint64_t set) {
  json.begin_array(key);
  for (unsigned n = 0; n < 64; n++)
    if ((set >> n & 1) != 0) json.text({}, capability_name(n));
  json.end_array();
}

void privilege_json(JsonWriter& json, const Inspection& p) {
  const ProcStatus& s = p.status;
  if (s.has_caps) {
    json.begin_object("capabilities");
    set_json(json, "effective", s.cap_effective);
    set_json(json, "permitted", s.cap_permitted);
    set_json(json, "inheritable", s.cap_inheritable);
    set_json(json, "bounding", s.cap_bounding);
    set_json(json, "ambient", s.cap_ambient);
    json.end_object();
  } else {
    json.null("capabilities");
  }
  unknown_or(json, "securebits", p.securebits);
  unknown_or(json, "no_new_privs", s.no_new_privs);
  unknown_or(json, "seccomp_mode", s.seccomp);
  unknown_or(json, "seccomp_filters", s.seccomp_filters);
  unknown_or(json, "parent_death_signal", p.parent_death_signal);
  json.text("module_label", p.lsm_label).boolean("dumpable", p.dumpable);
}

void groups_json(JsonWriter& json, const Inspection& p) {
  json.begin_array("cgroups");
  for (const GroupView& group : p.groups)
    json.begin_object()
        .text("controllers", group.controllers)
        .text("path", group.path)
        .text("directory", group.directory)
        .end_object();
  json.end_array().begin_object("cgroup_limits");
  optional_number(json, "memory_bytes", p.limits.memory);
  optional_number(json, "swap_bytes", p.limits.swap);
  optional_number(json, "pids", p.limits.pids);
  optional_number(json, "cpu_milli", p.limits.cpu_milli);
  json.text("processors", p.limits.cpus).end_object().begin_object("cgroup_effective_limits");
  optional_number(json, "memory_bytes", p.effective.memory);
  optional_number(json, "pids", p.effective.pids);
  optional_number(json, "cpu_milli", p.effective.cpu_milli);
  json.end_object().begin_object("cgroup_usage");
  optional_number(json, "memory_bytes", p.usage.memory_now);
  optional_number(json, "memory_peak_bytes", p.usage.memory_peak);
  optional_number(json, "pids", p.usage.pids_now);
  optional_number(json, "cpu_ns", p.usage.cpu_ns);
  optional_number(json, "oom_kills", p.usage.oom_kills);
  json.end_object();
  if (!p.rlimits) {
    json.null("rlimits");
    return;
  }
  json.begin_object("rlimits");
  for (const LimitLine& limit : *p.rlimits) {
    json.begin_object(limit.resource >= 0 ? limit_name(limit.resource) : limit.name);
    optional_number(json, "soft", limit.soft);
    optional_number(json, "hard", limit.hard);
    json.end_object();
  }
  json.end_object();
}

void fd_json(JsonWriter& json, const FdView& fd) {
  json.text("kind", name(fd.kind)).text("where", name(fd.where)).text("target", fd.target);
  json.text("note", fd.note).boolean("deleted", fd.deleted);
  unknown_or(json, "mount_id", fd.mount_id);
}

void files_json(JsonWriter& json, const Inspection& p) {
  const char* places[] = {"cwd", "root", "exe"};
  for (const FdView& place : p.places) {
    json.begin_object(places[-1 - place.number]);
    fd_json(json, place);
    json.end_object();
  }
  if (!p.mounts)
    json.null("mounts");
  else {
    json.begin_array("mounts");
    for (const MountView& mount : *p.mounts)
      json.begin_object()
          .number("id", static_cast<int64_t>(mount.id))
          .text("target", mount.target)
          .text("type", mount.fstype)
          .text("source", mount.source)
          .text("options", mount.options)
          .text("propagation", mount.propagation)
          .end_object();
    json.end_array();
  }
  if (!p.fds) {
    json.null("descriptors");
    return;
  }
  json.begin_array("descriptors");
  for (const FdView& fd : *p.fds) {
    json.begin_object().number("number", fd.number);
    fd_json(json, fd);
    json.boolean("readable", fd.readable).boolean("writable", fd.writable);
    json.boolean("path_only", fd.path_only).boolean("close_on_exec", fd.close_on_exec).end_object();
  }
  json.end_array();
}

}  // namespace

Result<int> parse_pid(std::string_view text) {
  if (text == "self") return static_cast<int>(getpid());
  auto pid = parse_u64(text);
  if (!pid || *pid == 0 || *pid > INT32_MAX)
    return fail(Code::kUsage, quoted(text) + " is no process number", {}, "immure inspect PID");
  return static_cast<int>(*pid);
}

// The program of a jail is the first child of its pid 1, which is immure's.
Result<int> program_of(std::string_view name) {
  auto state = find_jail(name);
  if (!state) return tl::unexpected<Error>(std::move(state.error()));
  std::string init = num_signed(state->init.pid);
  auto children = read_file("/proc/" + init + "/task/" + init + "/children", 1 << 16);
  std::optional<uint64_t> child =
      children ? parse_u64(std::string_view(*children).substr(0, children->find(' '))) : std::nullopt;
  return child && *child <= INT32_MAX ? static_cast<int>(*child) : state->init.pid;
}

std::string inspect_json(const Inspection& p) {
  JsonWriter json;
  json.begin_object().text("schema", "immure.inspect/1");
  json.number("pid", p.pid).text("name", p.name).text("command", p.command);
  json.text("state", std::string_view(&p.status.state, 1)).number("ppid", p.status.ppid);
  json.number("threads", p.status.threads).number("start_ticks", static_cast<int64_t>(p.start_ticks));
  ids_json(json, p);
  namespaces_json(json, p);
  privilege_json(json, p);
  groups_json(json, p);
  files_json(json, p);
  json.end_object();
  return json.str() + "\n";
}

Result<int> inspect(std::span<char* const> args) {
  bool as_json = false;
  std::string_view pid_text;
  for (std::string_view arg : args) {
    if (arg == "--json") {
      as_json = true;
    } else if (arg == "--help" || arg == "-h") {
      IMMURE_TRY(write_fd(1, kHelp, "standard output"));
      return 0;
    } else if (arg.starts_with("-")) {
      static constexpr std::string_view kFlags[] = {"--json", "--help"};
      std::string_view near = nearest(arg, kFlags);
      return fail(Code::kUsage, "inspect does not know " + quoted(arg), {},
                  near.empty() ? "immure inspect --help" : "did you mean " + std::string(near) + "?");
    } else if (!pid_text.empty()) {
      return fail(Code::kUsage, "inspect takes one process", quoted(arg) + " is one more",
                  "immure inspect PID");
    } else {
      pid_text = arg;
    }
  }
  if (pid_text.empty())
    return fail(Code::kUsage, "inspect needs a process", {}, "immure inspect PID, or the name of a jail");
  bool is_number = pid_text == "self" || pid_text.find_first_not_of("0123456789") == std::string_view::npos;
  auto pid = is_number ? parse_pid(pid_text) : program_of(pid_text);
  if (!pid) return tl::unexpected<Error>(std::move(pid.error()));
  auto process = look_at_process(*pid);
  if (!process) return tl::unexpected<Error>(std::move(process.error()));
  IMMURE_TRY(write_fd(1, as_json ? inspect_json(*process) : inspect_text(*process, run::use_colour(1)),
                      "standard output"));
  return 0;
}

}  // namespace immure::cli
