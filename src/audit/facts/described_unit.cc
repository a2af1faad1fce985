// What the settings of a systemd service mean together: many imply others.
#include <algorithm>
#include <map>
#include <set>

#include "audit/facts/described_readers.h"
#include "audit/facts/described_unit_parts.h"
#include "base/path.h"
#include "base/text.h"
#include "base/unit_text.h"
#include "kernel/capabilities.h"

namespace immure::audit {
namespace {

using Kind = DescribedMount::Kind;

constexpr uint64_t kAllCapabilities = (uint64_t{1} << kKnownCapabilities) - 1;
constexpr unsigned kCapSysModule = 16, kCapSysRawio = 17, kCapSysTime = 25, kCapMknod = 27, kCapSyslog = 34,
                   kCapWakeAlarm = 35;

class Meaning {
 public:
  explicit Meaning(UnitSettings settings) : set_(std::move(settings)) {}

  Described read() {
    jail_.kind = "unit";
    dynamic_ = yes("DynamicUser");
    protect_system_ = word("ProtectSystem", dynamic_ ? "strict" : "no");
    if (yes_of(protect_system_)) protect_system_ = "yes";
    identity();
    root();
    spaces();
    privileges();
    filter();
    files();
    devices();
    limits();
    rest();
    return std::move(jail_);
  }

 private:
  static bool yes_of(std::string_view value) { return unit_true(value); }
  bool yes(std::string_view key) const {
    const UnitSetting* one = set_.last(key);
    return one != nullptr && unit_true(one->value);
  }
  // Neither missing nor a word for no.
  bool some(std::string_view key) const {
    const UnitSetting* one = set_.last(key);
    return one != nullptr && !one->value.empty() && !unit_false(one->value);
  }
  std::string word(std::string_view key, std::string_view otherwise) const {
    const UnitSetting* one = set_.last(key);
    return one == nullptr || one->value.empty() ? std::string(otherwise) : one->value;
  }
  std::string origin(std::string_view key) const {
    const UnitSetting* one = set_.last(key);
    return one == nullptr ? std::string(key) + "= was not said" : one->origin;
  }
  bool specifier(std::string_view key) const {
    const UnitSetting* one = set_.last(key);
    return one != nullptr && one->value.find('%') != std::string::npos;
  }
  template <class T>
  void say(Value<T>& value, T what, std::string_view key) const {
    if (set_.last(key) != nullptr)
      value.say(std::move(what), origin(key));
    else
      value.by_default(std::move(what), origin(key));
  }

  void identity() {
    if (dynamic_) {
      jail_.root_outside.say(false, origin("DynamicUser"));
    } else if (specifier("User")) {
      jail_.root_outside.unclear(origin("User") + ": a specifier");
    } else {
      const std::string user = word("User", "root");
      say(jail_.root_outside, user == "root" || user == "0", "User");
    }
    for (const char* key : {"Group", "SupplementaryGroups"})
      for (const UnitSetting* one : set_.all(key))
        for (std::string_view group : split(one->value, ' '))
          if (!trim(group).empty()) jail_.groups.emplace_back(trim(group), one->origin);
  }
  bool as_root() const { return !jail_.root_outside.known() || jail_.root_outside.value; }

  void root() {
    for (const char* key : {"RootDirectory", "RootImage", "RootMStack"})
      if (some(key) && word(key, "/") != "/") return jail_.root.say(WhoseRoot::Own, origin(key));
    jail_.root.by_default(WhoseRoot::Host, "neither RootDirectory= nor RootImage= was said");
  }

  // Any of these gives the service a mount namespace of its own.
  std::string mount_reason() const {
    for (const char* key : {"PrivateMounts",
                            "PrivateTmp",
                            "PrivateDevices",
                            "ProtectHome",
                            "ProtectKernelTunables",
                            "ProtectControlGroups",
                            "ProtectKernelModules",
                            "ProtectKernelLogs",
                            "DynamicUser",
                            "PrivateIPC",
                            "PrivatePIDs",
                            "RootDirectory",
                            "RootImage",
                            "ReadOnlyPaths",
                            "ReadWritePaths",
                            "InaccessiblePaths",
                            "ExecPaths",
                            "NoExecPaths",
                            "BindPaths",
                            "BindReadOnlyPaths",
                            "TemporaryFileSystem",
                            "MountImages",
                            "ExtensionImages",
                            "ExtensionDirectories",
                            "MountFlags",
                            "LogNamespace",
                            "ReadOnlyDirectories",
                            "ReadWriteDirectories",
                            "InaccessibleDirectories"})
      if (some(key)) return origin(key);
    if (protect_system_ != "no" && !unit_false(protect_system_)) return origin("ProtectSystem");
    if (const std::string proc = word("ProtectProc", "default"); proc != "default")
      return origin("ProtectProc");
    if (word("ProcSubset", "all") != "all") return origin("ProcSubset");
    return {};
  }

  void space(Space which, std::initializer_list<const char*> keys) {
    for (const char* key : keys)
      if (some(key)) return jail_.space(which).say(Share::Own, origin(key));
    jail_.space(which).by_default(Share::Host, std::string(*keys.begin()) + "= was not said");
  }

  void spaces() {
    if (const std::string reason = mount_reason(); !reason.empty())
      jail_.space(Space::Mount).say(Share::Own, reason);
    else
      jail_.space(Space::Mount).by_default(Share::Host, "no setting gives it one of its own");
    space(Space::User, {"PrivateUsers"});
    space(Space::Net, {"PrivateNetwork"});
    space(Space::Ipc, {"PrivateIPC"});
    space(Space::Uts, {"ProtectHostname"});
    space(Space::Pid, {"PrivatePIDs"});
    if (Value<Share>& pid = jail_.space(Space::Pid); pid.word == Word::Default)
      pid.origin += " (it is there from systemd 257 on)";
    const std::string groups = word("ProtectControlGroups", "no");
    if (groups == "private" || groups == "strict")
      jail_.space(Space::Cgroup).say(Share::Own, origin("ProtectControlGroups"));
    else
      jail_.space(Space::Cgroup)
          .by_default(Share::Host,
                      "ProtectControlGroups=private was not said (it is there from systemd 257 on)");
    for (const auto& [key, which] : {std::pair<const char*, Space>{"NetworkNamespacePath", Space::Net},
                                     std::pair<const char*, Space>{"IPCNamespacePath", Space::Ipc},
                                     std::pair<const char*, Space>{"UserNamespacePath", Space::User}})
      if (some(key)) {
        jail_.space(which).say(Share::Joined, origin(key));
        jail_.joined[static_cast<size_t>(which)] = word(key, "");
      }
  }

  // A list of capabilities as systemd merges its lines: a first line sets, later ones add, those with ~ take
  // away, an empty one begins anew.
  uint64_t capability_lines(std::string_view key, uint64_t initial) {
    uint64_t set = initial;
    for (const UnitSetting* one : set_.all(key)) {
      std::string_view value = one->value;
      const bool invert = value.starts_with('~');
      if (invert) value.remove_prefix(1);
      uint64_t sum = 0;
      for (std::string_view name : split(value, ' ')) {
        name = trim(name);
        if (name.empty()) continue;
        if (const auto number = capability_number(name); number && *number < kKnownCapabilities)
          sum |= uint64_t{1} << *number;
        else
          jail_.notes.push_back(one->origin + ": " + quoted(name) + " is no capability known here");
      }
      if (set == 0 || set == initial)
        set = invert ? ~sum & kAllCapabilities : sum;
      else
        set = invert ? set & ~sum : set | sum;
    }
    return set;
  }

  void privileges() {
    uint64_t bounding = capability_lines("CapabilityBoundingSet", kAllCapabilities);
    const auto without = [&](std::string_view key, std::initializer_list<unsigned> numbers) {
      if (yes(key))
        for (unsigned number : numbers) bounding &= ~(uint64_t{1} << number);
    };
    without("ProtectKernelModules", {kCapSysModule});
    without("PrivateDevices", {kCapMknod, kCapSysRawio});
    without("ProtectKernelLogs", {kCapSyslog});
    without("ProtectClock", {kCapSysTime, kCapWakeAlarm});
    const uint64_t ambient = capability_lines("AmbientCapabilities", 0) & bounding;
    say(jail_.ambient, as_root() ? uint64_t{0} : ambient, "AmbientCapabilities");
    // Another user than root has what is ambient; what is only in the bounding set needs a set-id program.
    if (as_root())
      say(jail_.capabilities, bounding, "CapabilityBoundingSet");
    else
      say(jail_.capabilities, ambient, "AmbientCapabilities");
    if (const UnitSetting* one = set_.last("NoNewPrivileges"); one != nullptr && unit_true(one->value))
      return jail_.no_new_privs.say(true, one->origin);
    if (dynamic_) return jail_.no_new_privs.say(true, origin("DynamicUser") + ", which implies it");
    // Implied by what needs a filter of calls, when the service starts without CAP_SYS_ADMIN: by the release
    // of systemd.
    if (!as_root())
      for (const char* key :
           {"SystemCallFilter", "SystemCallArchitectures", "RestrictAddressFamilies", "RestrictNamespaces",
            "PrivateDevices", "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs",
            "ProtectClock", "MemoryDenyWriteExecute", "RestrictRealtime", "RestrictSUIDSGID",
            "LockPersonality", "ProtectHostname"})
        if (some(key))
          return jail_.no_new_privs.unclear(
              origin(key) + " implies it with a user in some releases of systemd and not in others");
    say(jail_.no_new_privs, false, "NoNewPrivileges");
  }

  // Calls that other settings close.
  std::set<std::string> closed_calls() const {
    std::set<std::string> closed;
    const auto close = [&](std::string_view key, std::string_view group) {
      if (!yes(key)) return;
      for (const DangerousCall& call : dangerous_calls())
        if (const std::vector<std::string_view> sets = split(call.sets, ' ');
            std::find(sets.begin(), sets.end(), group) != sets.end())
          closed.insert(call.name);
    };
    close("ProtectKernelModules", "@module");
    close("ProtectClock", "@clock");
    close("PrivateDevices", "@raw-io");
    if (yes("ProtectKernelLogs")) closed.insert("syslog");
    const std::string namespaces = word("RestrictNamespaces", "no");
    const bool names_user = namespaces.find("user") != std::string::npos,
               inverse = namespaces.starts_with('~');
    if (some("RestrictNamespaces") && (unit_true(namespaces) || names_user == inverse)) {
      closed.insert("unshare");
      closed.insert("clone");
      if (unit_true(namespaces)) closed.insert("setns");
    }
    return closed;
  }

  void filter() {
    const UnitCalls calls = unit_calls(set_);
    std::set<std::string> closed = closed_calls();
    if (!calls.said) {
      if (set_.last("SystemCallFilter") != nullptr)
        jail_.filter.say(false, origin("SystemCallFilter"));
      else
        jail_.filter.by_default(false, origin("SystemCallFilter"));
      return;
    }
    jail_.filter.say(true, origin("SystemCallFilter"));
    for (const std::string& note : calls.unknown) jail_.notes.push_back(note);
    std::vector<std::string> open;
    for (const std::string& call : calls.open)
      if (closed.count(call) == 0) open.push_back(call);
    jail_.open_calls.say(std::move(open), origin("SystemCallFilter"));
  }

  void bind(const UnitSetting& setting, bool writable) {
    for (std::string_view part : split(setting.value, ' ')) {
      part = trim(part);
      if (part.starts_with('-')) part.remove_prefix(1);
      if (part.empty()) continue;
      if (jail_.mounts.size() >= kMostMounts)
        return jail_.notes.push_back(setting.origin + ": too many mounts, the rest is not weighed");
      const std::vector<std::string_view> ends = split(part, ':');
      DescribedMount mount;
      mount.source = path_normal(ends[0]);
      mount.target = ends.size() > 1 && !ends[1].empty() ? path_normal(ends[1]) : mount.source;
      mount.writable = writable;
      mount.unclear = part.find('%') != std::string_view::npos;
      mount.set_ids = true;
      mount.origin = setting.origin;
      jail_.mounts.push_back(std::move(mount));
    }
  }

  void files() {
    const bool own_root = jail_.root.value == WhoseRoot::Own, strict = protect_system_ == "strict";
    if (!own_root || strict) say(jail_.root_writable, !strict, "ProtectSystem");
    const std::string home = word("ProtectHome", dynamic_ ? "read-only" : "no");
    const bool hidden = unit_true(home) || home == "tmpfs" || home == "read-only";
    if (!own_root) say(jail_.homes_visible, !hidden, "ProtectHome");
    const std::string flags = word("MountFlags", "");
    if (flags == "shared")
      jail_.propagation.say(true, origin("MountFlags"));
    else
      jail_.propagation.by_default(false, "MountFlags=");
    say(jail_.settings_writable, !yes("ProtectKernelTunables"), "ProtectKernelTunables");
    // Without root the files' own modes keep them.
    if (!as_root() && !yes("ProtectKernelTunables"))
      jail_.settings_writable.by_default(false, "the service is not root");
    for (const UnitSetting* one : set_.all("BindPaths")) bind(*one, true);
    for (const UnitSetting* one : set_.all("BindReadOnlyPaths")) bind(*one, false);
  }

  void devices() {
    const std::string policy = word("DevicePolicy", "auto");
    const bool listed =
        policy == "closed" || policy == "strict" || (policy == "auto" && !set_.all("DeviceAllow").empty());
    if (yes("PrivateDevices"))
      jail_.all_devices.say(false, origin("PrivateDevices"));
    else
      say(jail_.all_devices, !listed,
          set_.last("DevicePolicy") != nullptr ? "DevicePolicy" : "PrivateDevices");
    for (const UnitSetting* one : set_.all("DeviceAllow")) {
      const std::vector<std::string_view> words = split(one->value, ' ');
      const bool write = words.size() < 2 || words[1].find('w') != std::string_view::npos;
      if (words[0].starts_with("/dev/"))
        jail_.devices.push_back({std::string(words[0]), 'c', -1, -1, write, one->origin});
      if (words[0].starts_with("block-"))
        jail_.devices.push_back({std::string(words[0]), 'b', -1, -1, write, one->origin});
    }
  }

  void limit(Value<bool>& value, std::initializer_list<const char*> keys, bool otherwise) {
    for (const char* key : keys)
      if (const UnitSetting* one = set_.last(key); one != nullptr && !one->value.empty())
        return value.say(one->value != "infinity", one->origin);
    value.by_default(otherwise, std::string(*keys.begin()) + "= was not said");
  }

  void limits() {
    limit(jail_.memory_limit, {"MemoryMax", "MemoryLimit"}, false);
    // The manager has a limit for every service, DefaultTasksMax=.
    limit(jail_.process_limit, {"TasksMax"}, true);
    limit(jail_.processor_limit, {"CPUQuota", "CPUWeight"}, false);
    if (!jail_.processor_limit.value) jail_.processor_limit = {};
  }

  void program(std::string_view key, const UnitSetting& setting) {
    std::string_view value = setting.value;
    const size_t end = value.find_first_not_of("@-:+!|");
    if (end == std::string_view::npos) return;
    const std::string_view marks = value.substr(0, end);
    value.remove_prefix(end);
    DescribedProgram one;
    one.path = value.substr(0, value.find_first_of(" \t"));
    one.origin = setting.origin;
    one.main = key == "ExecStart";
    one.unbounded = marks.find('+') != std::string_view::npos;
    // Of others than root only what runs with all rights is a way for them.
    if (one.path.starts_with('/') && one.path.find('%') == std::string::npos && (as_root() || one.unbounded))
      jail_.programs.push_back(std::move(one));
  }

  // The manager closes what it has open, and by itself makes a session keyring for each service.
  void callers() {
    jail_.callers_descriptors.by_default(false, "the manager closes them");
    say(jail_.callers_keyring, word("KeyringMode", "private") == "inherit", "KeyringMode");
  }

  void rest() {
    callers();
    say(jail_.label, word("AppArmorProfile", word("SELinuxContext", word("SmackProcessLabel", ""))),
        some("SELinuxContext")      ? "SELinuxContext"
        : some("SmackProcessLabel") ? "SmackProcessLabel"
                                    : "AppArmorProfile");
    for (const UnitSetting* one : set_.all("Environment"))
      for (const std::string& assignment : unit_words(one->value)) {
        const size_t equals = assignment.find('=');
        if (equals != std::string::npos)
          jail_.variables.push_back(
              {assignment.substr(0, equals), one->origin, equals + 1 == assignment.size()});
      }
    // It is taken away last, whoever has set it; with a value only when it has that one.
    for (const UnitSetting* one : set_.all("UnsetEnvironment"))
      for (const std::string& name : unit_words(one->value))
        std::erase_if(jail_.variables,
                      [&](const DescribedVariable& variable) { return variable.name == name; });
    for (const char* key : {"ExecStart", "ExecStartPre", "ExecStartPost", "ExecReload", "ExecStop",
                            "ExecStopPost", "ExecCondition"})
      for (const UnitSetting* one : set_.all(key)) program(key, *one);
    for (const std::string& note : set_.notes()) jail_.notes.push_back(note);
  }

  UnitSettings set_;
  Described jail_;
  bool dynamic_ = false;
  std::string protect_system_;
};

}  // namespace

Described describe_unit_texts(const std::vector<ReadText>& texts) {
  UnitSettings settings;
  for (const ReadText& one : texts) settings.add(one.shown_as, unit_lines(one.text));
  Described jail = Meaning(std::move(settings)).read();
  if (!texts.empty()) jail.name = texts.front().shown_as;
  return jail;
}

}  // namespace immure::audit
