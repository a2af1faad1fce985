// Contradictions and impossibilities that need no host to be seen. Grants have their own file.
#include "spec/validate.h"

#include <algorithm>

#include "base/text.h"

namespace immure {

bool valid_name(std::string_view text) {
  constexpr size_t kLongest = 64;
  auto alnum = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  };
  if (text.empty() || text.size() > kLongest || !alnum(text[0])) return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return alnum(c) || c == '_' || c == '.' || c == '-'; });
}

bool valid_hostname(std::string_view text) {
  constexpr size_t kLongest = 64;  // __NEW_UTS_LEN
  if (text.empty() || text.size() > kLongest) return false;
  for (std::string_view label : split(text, '.')) {
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    for (char c : label) {
      bool fine = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-';
      if (!fine) return false;
    }
  }
  return true;
}

bool valid_env_name(std::string_view text) {
  if (text.empty()) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c != '=' && static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) != 0x7f;
  });
}

namespace {

std::string from(const JailSpec& spec, Field field) { return spec.origin_text(spec.set_by_word(field)); }
std::string both(const JailSpec& spec, OriginId a, OriginId b) {
  std::string first = spec.origin_text(a), second = spec.origin_text(b);
  if (first.empty() || first == second) return second;
  return second.empty() ? first : first + " and " + second;
}
std::string both(const JailSpec& spec, Field a, Field b) {
  return both(spec, spec.set_by_word(a), spec.set_by_word(b));
}

Status check_command(const JailSpec& spec) {
  if (spec.argv.empty()) {
    return fail(Code::kUsage, "there is no command to run", "nothing follows the options",
                "write it last: immure run -- CMD");
  }
  if (spec.argv[0].empty()) return fail(Code::kUsage, "the command is the empty text", {}, "name a program");
  for (const std::string& word : spec.argv) {
    if (word.find('\0') != std::string::npos)
      return fail(Code::kBadValue, "a word of the command has a NUL byte in it");
  }
  return {};
}

Status check_names(const JailSpec& spec) {
  if (!spec.name.empty() && !valid_name(spec.name)) {
    return fail(Code::kBadValue, quoted(spec.name) + " cannot be a jail's name", {},
                "use up to 64 letters, digits, '.', '_' and '-', starting with a letter or digit",
                from(spec, Field::Name));
  }
  if (!valid_hostname(spec.hostname)) {
    return fail(Code::kBadValue, quoted(spec.hostname) + " cannot be a host name", {},
                "use up to 64 letters, digits and '-', in labels between single dots",
                from(spec, Field::Hostname));
  }
  for (const EnvGrant& env : spec.env) {
    bool nul = env.value && env.value->find('\0') != std::string::npos;
    if (valid_env_name(env.name) && !nul) continue;
    return fail(Code::kBadValue,
                nul ? "the value of " + quoted(env.name) + " has a NUL byte in it"
                    : quoted(env.name) + " cannot be the name of an environment variable",
                {}, "write --env NAME=VALUE", spec.origin_text(env.origin));
  }
  if (!spec.cwd.empty()) {
    if (auto path = jail_path(spec.cwd); !path) {
      Error error = std::move(path.error());
      error.origin = from(spec, Field::Cwd);
      return tl::unexpected<Error>(std::move(error));
    }
  }
  return {};
}

Status check_ids(const JailSpec& spec) {
  constexpr uint32_t kNobody = 0xffffffff;  // (uid_t)-1: "leave unchanged" in the calls that take ids
  struct Id {
    const std::optional<uint32_t>& id;
    Field field;
    const char* flag;
  };
  for (const Id& one : {Id{spec.uid, Field::Uid, "--user"}, Id{spec.gid, Field::Gid, "--group"}}) {
    if (!one.id) continue;
    if (*one.id == kNobody)
      return fail(Code::kBadValue, "the id 4294967295 belongs to nobody", {}, "choose another one",
                  from(spec, one.field));
    if (spec.as_root && *one.id != 0) {
      return fail(Code::kUsage, std::string("--as-root and ") + one.flag + " " + num(*one.id) + " contradict",
                  "--as-root shows the id 0", "keep one of them", both(spec, Field::AsRoot, one.field));
    }
    if (spec.id_range != 0 && *one.id >= spec.id_range) {
      return fail(Code::kIds, "the id " + num(*one.id) + " is outside --uid-range " + num(spec.id_range),
                  "the range holds the ids 0 to " + num(spec.id_range - 1),
                  "make the range larger than the id", both(spec, Field::IdRange, one.field));
    }
  }
  return {};
}

struct LimitRow {
  Field field;
  const char* flag;
  std::optional<uint64_t> value;
  uint64_t least, most;  // 0, "no limit", is always fine
  const char* why;
};

Status check_limits(const JailSpec& spec) {
  constexpr uint64_t kMiB = 1 << 20, kMillisecond = 1'000'000, kNever = uint64_t{1} << 62;
  const Limits& l = spec.limits;
  const LimitRow rows[] = {
      {Field::Memory, "--memory", l.memory, kMiB, kNever, "no program starts in less than 1 MiB"},
      {Field::Pids, "--pids", l.pids, 2, 1u << 22,
       "the jail's init and the program are two; Linux ends at 4194304"},
      {Field::Cpus, "--cpus", l.cpus_milli, 10, 1'000'000, "it goes from 0.01 to 1000 processors"},
      {Field::CpuTime, "--cpu-time", l.cpu_time_ns, kMillisecond, kNever,
       "less than 1 ms cannot be measured"},
      {Field::FileSize, "--file-size", l.file_size, 1, kNever, "nothing could be written"},
      {Field::OpenFiles, "--open-files", l.open_files, 16, 1u << 30,
       "the jail itself needs 16 until its program starts"},
      {Field::WallTime, "--wall-time", l.wall_time_ns, kMillisecond, kNever,
       "less than 1 ms ends before it starts"},
      {Field::KillAfter, "--kill-after", l.kill_after_ns, kMillisecond, kNever, "less than 1 ms is at once"},
      {Field::TmpSize, "--tmp-size", l.tmp_size, 4096, kNever, "a page is the least a tmpfs can have"},
  };
  for (const LimitRow& row : rows) {
    if (!row.value || *row.value == 0 || (*row.value >= row.least && *row.value <= row.most)) continue;
    return fail(
        Code::kBadValue,
        std::string("the limit of ") + row.flag + " is too " + (*row.value < row.least ? "small" : "large"),
        row.why, std::string("choose another one, or ") + row.flag + " none for no limit",
        from(spec, row.field));
  }
  return {};
}

Status check_filter(const JailSpec& spec) {
  if (spec.seccomp.empty() || spec.syscalls.empty()) return {};
  const SyscallRule& rule = spec.syscalls.front();
  std::string flag = rule.allow ? "--allow-syscall" : "--deny-syscall";
  return fail(Code::kUsage, "--seccomp " + printable(spec.seccomp) + " and " + flag + " contradict",
              spec.seccomp == "none" ? "without a filter no call can be allowed or denied"
                                     : "that filter is taken as it is",
              "keep one of them", both(spec, spec.set_by_word(Field::Seccomp), rule.origin));
}

// What is to be told of calls rests on a filter of immure's own making.
Status check_recording(const JailSpec& spec) {
  if (spec.record_files.value.empty()) return {};
  if (!spec.seccomp.empty())
    return fail(Code::kUsage, "--record-files and --seccomp " + printable(spec.seccomp) + " contradict",
                spec.seccomp == "none" ? "it is the filter that tells of files" : "that filter is taken as it is, and tells of none",
                "keep one of them", both(spec, Field::Seccomp, Field::RecordFiles));
  if (spec.need_of(Layer::Seccomp) != Need::Off) return {};
  return fail(Code::kUsage, "--record-files and --need seccomp=off contradict", "it is the filter that tells of files",
              "keep one of them",
              both(spec, spec.need_by[static_cast<size_t>(Layer::Seccomp)], spec.set_by_word(Field::RecordFiles)));
}

// Words about a watch need one; and what the filter tells, none but immure's own does.
Status check_watch(const JailSpec& spec) {
  const WatchSpec& watch = spec.watch;
  const std::pair<bool, std::pair<const char*, Field>> words[] = {
      {watch.source != "auto", {"--watch-source", Field::WatchSource}},
      {!watch.json.value.empty(), {"--watch-json", Field::WatchJson}},
      {!watch.trace.value.empty(), {"--watch-trace", Field::WatchTrace}},
      {watch.events, {"--watch-events", Field::WatchEvents}},
      {!watch.baseline.value.empty(), {"--watch-baseline", Field::WatchBaseline}},
      {!watch.expect.empty(), {"--watch-expect", Field::WatchExpect}},
  };
  for (const auto& [said, word] : words)
    if (said && !watch.wanted())
      return fail(Code::kUsage, std::string(word.first) + " needs --watch", "nothing is watched without it", "add --watch",
                  spec.origin_text(spec.set_by_word(word.second)));
  const bool by_filter = watch.source == "notify" || watch.source == "ptrace";
  const bool has_filter = spec.seccomp.empty() && spec.need_of(Layer::Seccomp) != Need::Off;
  if (!watch.wanted() || !by_filter || has_filter) return {};
  return fail(Code::kUsage, "--watch-source " + watch.source + " needs the filter of immure",
              "it is the filter that sends calls", "--watch-source ebpf needs none, but root",
              spec.origin_text(spec.set_by_word(Field::WatchSource)));
}

Status check_layers(const JailSpec& spec) {
  auto off = [&](Layer layer) { return spec.need_of(layer) == Need::Off; };
  auto by = [&](Layer layer) { return spec.need_by[static_cast<size_t>(layer)]; };
  // The set-up itself walks on these; without them there is no jail to speak of.
  for (Layer layer : {Layer::MountNs, Layer::PidNs, Layer::Root, Layer::Mounts, Layer::Devices, Layer::Fds}) {
    if (!off(layer)) continue;
    return fail(
        Code::kBadValue, std::string("the layer ") + key(layer) + " cannot be switched off",
        layer == Layer::Devices ? "every jail has it; --dev adds a node" : "every other layer stands on it",
        "leave the option out", spec.origin_text(by(layer)));
  }
  if (off(Layer::UserNs) && spec.as_root) {
    return fail(Code::kUsage, "--as-root needs the user namespace",
                "without one the id 0 inside would be the id 0 outside", "keep one of them",
                both(spec, by(Layer::UserNs), spec.set_by_word(Field::AsRoot)));
  }
  // Both let nobody in who could still gain privilege by an exec, but for who has it.
  constexpr uint64_t kSysAdmin = uint64_t{1} << 21;
  bool privileged = off(Layer::Capabilities) || (spec.caps_add & kSysAdmin) != 0;
  for (Layer layer : {Layer::Landlock, Layer::Seccomp}) {
    bool wanted = !off(layer) && !(layer == Layer::Seccomp && spec.seccomp == "none");
    if (!off(Layer::NoNewPrivs) || !wanted || privileged) continue;
    return fail(Code::kUsage, std::string("--need no-new-privs=off goes only with ") + key(layer) + "=off",
                "the kernel takes its rules only from who can gain no privilege",
                "leave it out, or add --need " + std::string(key(layer)) + "=off",
                spec.origin_text(by(Layer::NoNewPrivs)));
  }
  // Without it the jail's identity is one of the host's, and there is one.
  struct Identity {
    bool clash;
    Field field;
    const char *flag, *why;
  };
  for (const Identity& one : {
           Identity{spec.uid == 0U, Field::Uid, "--user 0", "the program would be the root of the host"},
           Identity{spec.gid == 0U, Field::Gid, "--group 0",
                    "the program would be in the group of the host's root"},
           Identity{spec.gid && !spec.uid, Field::Gid, "--group",
                    "without --user the jail has an id that is no user of the host"},
           Identity{spec.id_range != 0, Field::IdRange, "--uid-range",
                    "without one there is nothing to map ids in"},
       }) {
    if (!one.clash || !off(Layer::UserNs)) continue;
    return fail(Code::kUsage, std::string(one.flag) + " and --need user-ns=off contradict", one.why,
                "keep one of them", both(spec, by(Layer::UserNs), spec.set_by_word(one.field)));
  }
  struct Pair {
    bool clash;
    Layer layer;
    Field field;
    const char* flag;
  };
  bool net_asked = spec.need_of(Layer::NetNs) == Need::Require && by(Layer::NetNs) != kOriginDefault;
  for (const Pair& pair : {
           Pair{net_asked && spec.net == Net::Host, Layer::NetNs, Field::Net, "--net host"},
           Pair{off(Layer::NetNs) && spec.net == Net::None && spec.set_by_word(Field::Net) != kOriginDefault,
                Layer::NetNs, Field::Net, "--net none"},
           Pair{off(Layer::UtsNs) && spec.set_by_word(Field::Hostname) != kOriginDefault, Layer::UtsNs,
                Field::Hostname, "--hostname"},
           Pair{off(Layer::TimeNs) && spec.clock_offset_s != 0, Layer::TimeNs, Field::ClockOffset,
                "--clock-offset"},
           Pair{off(Layer::Seccomp) && !spec.seccomp.empty() && spec.seccomp != "none", Layer::Seccomp,
                Field::Seccomp, "--seccomp"},
       }) {
    if (!pair.clash) continue;
    return fail(Code::kUsage,
                std::string(pair.flag) + " and --need " + key(pair.layer) + "=" +
                    key(spec.need_of(pair.layer)) + " contradict",
                {}, "keep one of them", both(spec, by(pair.layer), spec.set_by_word(pair.field)));
  }
  return {};
}

Status check_fds(const JailSpec& spec) {
  constexpr int kHighest = 1023;  // what select(2) and small RLIMIT_NOFILE can hold
  for (size_t i = 0; i < spec.fds.size(); ++i) {
    const FdGrant& fd = spec.fds[i];
    std::string origin = spec.origin_text(fd.origin);
    if (fd.number >= 0 && fd.number <= 2)
      return fail(Code::kBadValue, "the descriptors 0, 1 and 2 are always passed", {},
                  "redirect them in the shell: immure run -- CMD <file", origin);
    if (fd.number < 0 || fd.number > kHighest)
      return fail(Code::kBadValue, "a descriptor's number goes from 3 to 1023", {}, "choose another number",
                  origin);
    for (size_t j = 0; j < i; ++j) {
      if (spec.fds[j].number != fd.number) continue;
      return fail(Code::kUsage, "the descriptor " + num(static_cast<uint64_t>(fd.number)) + " is given twice",
                  {}, "keep one of them", both(spec, spec.fds[j].origin, fd.origin));
    }
  }
  return {};
}

}  // namespace

Status validate(const JailSpec& spec) {
  for (auto check : {check_command, check_names, check_ids, check_limits, check_filter, check_recording, check_watch, check_layers,
                     check_fds, check_grants}) {
    IMMURE_TRY(check(spec));
  }
  return {};
}

}  // namespace immure
