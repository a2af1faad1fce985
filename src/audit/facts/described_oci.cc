#include <linux/audit.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "audit/facts/described_readers.h"
#include "audit/facts/host_files.h"
#include "base/path.h"
#include "base/text.h"
#include "filter/filter.h"
#include "input/oci_seccomp.h"
#include "input/toml.h"
#include "kernel/capabilities.h"

namespace immure::audit {
namespace {

using Node = ProfileNode;
using Kind = DescribedMount::Kind;

// Places that show or change what is the host's alone. Source: the masked and read-only paths that the
// runtime specification gives for a Linux container.
constexpr std::string_view kToMask[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"};

constexpr std::pair<std::string_view, std::string_view> kKnown[] = {
    {"", "ociVersion process root hostname domainname mounts hooks annotations linux"},
    {"process",
     "terminal consoleSize cwd env args commandLine rlimits apparmorProfile capabilities noNewPrivileges "
     "oomScoreAdj scheduler selinuxLabel ioPriority execCPUAffinity user"},
    {"linux",
     "namespaces uidMappings gidMappings timeOffsets devices netDevices cgroupsPath resources intelRdt memoryPolicy "
     "sysctl seccomp rootfsPropagation maskedPaths readonlyPaths mountLabel personality"},
};

bool among(std::string_view list, std::string_view word) {
  for (std::string_view one : split(list, ' '))
    if (one == word) return true;
  return false;
}

class Reader {
 public:
  Reader(const Node& top, std::string_view json, const std::string& shown_as)
      : top_(top), json_(json), shown_as_(shown_as) {}

  Result<Described> read() {
    jail_.kind = "oci";
    jail_.name = shown_as_;
    if (top_.kind != Node::Kind::Table || get(top_, "ociVersion") == nullptr)
      return fail(Code::kBadProfile, immure::quoted(shown_as_) + " is no bundle of the runtime specification",
                  "it has no ociVersion", {}, shown_as_ + top_.place);
    if (const Node* list = get(top_, "mounts"); list != nullptr && list->items.size() > kMostMounts)
      return fail(Code::kBadProfile, immure::quoted(shown_as_) + " has too many mounts", {}, {}, at(*list));
    unknown_keys();
    const Node none;
    const Node *process = get(top_, "process"), *system = get(top_, "linux");
    if (process == nullptr) process = &none;
    if (system == nullptr) system = &none;
    spaces(*system);
    identity(*process, *system);
    IMMURE_TRY(capabilities(*process));
    mounts();
    paths(*system);
    devices(*system);
    limits(*system);
    environment(*process);
    hooks();
    filter(*system);
    return std::move(jail_);
  }

 private:
  static const Node* get(const Node& table, std::string_view key) {
    for (const Node& one : table.members)
      if (one.key == key) return one.kind == Node::Kind::Other ? nullptr : &one;
    return nullptr;
  }
  static std::string_view text(const Node& table, std::string_view key) {
    const Node* one = get(table, key);
    return one != nullptr && one->kind == Node::Kind::Text ? std::string_view(one->text) : std::string_view();
  }
  static std::optional<int64_t> number(const Node& table, std::string_view key) {
    const Node* one = get(table, key);
    if (one == nullptr || one->kind != Node::Kind::Number) return std::nullopt;
    const std::string_view digits = one->text;
    if (digits.starts_with('-')) {
      const auto value = parse_u64(digits.substr(1));
      return value && *value < (uint64_t{1} << 62) ? std::optional<int64_t>(-static_cast<int64_t>(*value))
                                                   : std::nullopt;
    }
    const auto value = parse_u64(digits);
    return value && *value < (uint64_t{1} << 63) ? std::optional<int64_t>(static_cast<int64_t>(*value))
                                                 : std::nullopt;
  }
  static bool flag(const Node& table, std::string_view key) {
    const Node* one = get(table, key);
    return one != nullptr && one->kind == Node::Kind::Flag && one->flag;
  }
  static std::vector<std::string> words(const Node& table, std::string_view key) {
    std::vector<std::string> out;
    if (const Node* list = get(table, key); list != nullptr)
      for (const Node& one : list->items)
        if (one.kind == Node::Kind::Text) out.push_back(one.text);
    return out;
  }
  std::string at(const Node& node) const { return shown_as_ + node.place; }
  std::string at(const Node& table, std::string_view key) const {
    const Node* one = get(table, key);
    return one != nullptr ? at(*one) : std::string(key) + " is not there";
  }

  void unknown_keys() {
    for (const auto& [path, keys] : kKnown) {
      const Node* table = path.empty() ? &top_ : get(top_, path);
      if (table == nullptr) continue;
      for (const Node& one : table->members)
        if (!among(keys, one.key))
          jail_.notes.push_back(at(one) + ": " + immure::quoted(one.key) + " has no meaning here");
    }
  }

  void spaces(const Node& system) {
    jail_.root.by_default(WhoseRoot::Own, "the specification");
    for (size_t i = 0; i < kSpaceCount; ++i)
      jail_.spaces[i].by_default(Share::Host,
                                 std::string(name(static_cast<Space>(i))) + " is not among linux.namespaces");
    const Node* list = get(system, "namespaces");
    if (list == nullptr) return;
    for (const Node& one : list->items) {
      const std::string_view type = text(one, "type"), path = text(one, "path");
      for (size_t i = 0; i < kSpaceCount; ++i) {
        // "network" is what others call net.
        if (type != name(static_cast<Space>(i)) &&
            !(type == "network" && static_cast<Space>(i) == Space::Net))
          continue;
        jail_.spaces[i].say(path.empty() ? Share::Own : Share::Joined, at(one));
        jail_.joined[i] = path;
      }
    }
  }

  // The id outside of `uid` by the map; nullopt: the map has none.
  static std::optional<int64_t> outside(const Node& system, int64_t uid) {
    const Node* map = get(system, "uidMappings");
    if (map == nullptr) return std::nullopt;
    for (const Node& one : map->items) {
      const int64_t inside = number(one, "containerID").value_or(-1),
                    host = number(one, "hostID").value_or(-1), size = number(one, "size").value_or(0);
      if (inside >= 0 && host >= 0 && uid >= inside && uid - inside < size) return host + (uid - inside);
    }
    return std::nullopt;
  }

  void identity(const Node& process, const Node& system) {
    const Node none;
    const Node* user = get(process, "user");
    if (user == nullptr) user = &none;
    const int64_t uid = number(*user, "uid").value_or(0);
    const std::string from = at(process, "user");
    if (jail_.space(Space::User).is(Share::Own)) {
      const std::optional<int64_t> host = outside(system, uid);
      if (host)
        jail_.root_outside.say(*host == 0, from + ", mapped to " + num_signed(*host));
      else
        jail_.root_outside.unclear("uid " + num_signed(uid) + " is not in linux.uidMappings");
    } else if (jail_.space(Space::User).is(Share::Joined)) {
      jail_.root_outside.unclear("the maps of the user namespace that is joined are not said");
    } else {
      jail_.root_outside.say(uid == 0, from);
      if (const Node* groups = get(*user, "additionalGids"); groups != nullptr)
        for (const Node& one : groups->items) jail_.groups.emplace_back(one.text, at(one));
    }
    if (get(process, "noNewPrivileges") != nullptr)
      jail_.no_new_privs.say(flag(process, "noNewPrivileges"), at(process, "noNewPrivileges"));
    else
      jail_.no_new_privs.by_default(false, "noNewPrivileges is not there");
    for (const char* key : {"apparmorProfile", "selinuxLabel"})
      if (!text(process, key).empty()) jail_.label.say(std::string(text(process, key)), at(process, key));
    if (!jail_.label.known()) jail_.label.by_default("", "neither apparmorProfile nor selinuxLabel is there");
  }

  Result<uint64_t> set_of(const Node& sets, std::string_view key) const {
    uint64_t bits = 0;
    const Node* list = get(sets, key);
    if (list == nullptr) return bits;
    for (const Node& one : list->items) {
      const std::optional<unsigned> number_of = capability_number(one.text);
      if (!number_of || *number_of > 63)
        return fail(Code::kBadProfile, immure::quoted(one.text) + " is no capability", {}, {}, at(one));
      bits |= uint64_t{1} << *number_of;
    }
    return bits;
  }

  Status capabilities(const Node& process) {
    const Node* sets = get(process, "capabilities");
    if (sets == nullptr) {
      jail_.capabilities.by_default(0, "capabilities is not there");
      jail_.ambient.by_default(0, "capabilities is not there");
      return {};
    }
    uint64_t all = 0;
    for (const char* key : {"bounding", "effective", "permitted", "inheritable", "ambient"}) {
      auto bits = set_of(*sets, key);
      if (!bits) return tl::unexpected<Error>(std::move(bits.error()));
      all |= *bits;
      if (std::string_view(key) == "ambient") jail_.ambient.say(*bits, at(*sets, key));
    }
    jail_.capabilities.say(all, at(*sets));
    return {};
  }

  void mounts() {
    const Node* list = get(top_, "mounts");
    if (list == nullptr) return;
    for (const Node& one : list->items) {
      DescribedMount mount;
      mount.target = path_join("/", text(one, "destination"));
      const std::vector<std::string> options = words(one, "options");
      const auto has = [&](const char* word) {
        return std::find(options.begin(), options.end(), word) != options.end();
      };
      const std::string_view type = text(one, "type");
      const bool bind = type == "bind" || has("bind") || has("rbind");
      mount.kind = bind                                    ? Kind::Bind
                   : type == "proc"                        ? Kind::Proc
                   : type == "sysfs"                       ? Kind::Sys
                   : type == "tmpfs"                       ? Kind::Tmpfs
                   : type == "cgroup" || type == "cgroup2" ? Kind::Groups
                                                           : Kind::Other;
      const std::string_view source = text(one, "source");
      if (bind) mount.source = source.starts_with('/') ? path_normal(source) : std::string(source);
      mount.unclear = bind && !source.starts_with('/');
      mount.writable = !has("ro") && !has("rro");
      mount.devices = !has("nodev") && !has("rnodev");
      mount.set_ids = !has("nosuid") && !has("rnosuid");
      mount.origin = at(one);
      if (has("shared") || has("rshared")) jail_.propagation.say(true, at(one));
      jail_.mounts.push_back(std::move(mount));
    }
  }

  void paths(const Node& system) {
    const Node none;
    const Node* root = get(top_, "root");
    if (root == nullptr) root = &none;
    if (get(*root, "readonly") != nullptr)
      jail_.root_writable.say(!flag(*root, "readonly"), at(*root, "readonly"));
    else
      jail_.root_writable.by_default(true, "root.readonly is not there");
    if (const std::string_view how = text(system, "rootfsPropagation"); how == "shared" || how == "rshared")
      jail_.propagation.say(true, at(system, "rootfsPropagation"));
    if (!jail_.propagation.known()) jail_.propagation.by_default(false, "linux.rootfsPropagation");
    const bool proc = std::any_of(jail_.mounts.begin(), jail_.mounts.end(),
                                  [](const DescribedMount& one) { return one.kind == Kind::Proc; });
    if (!proc) return;
    const std::vector<std::string> masked = words(system, "maskedPaths"),
                                   fixed = words(system, "readonlyPaths");
    const auto within = [](std::string_view path, const std::vector<std::string>& list) {
      return std::any_of(list.begin(), list.end(),
                         [&](const std::string& one) { return path_within(path, path_normal(one)); });
    };
    std::vector<std::string> open;
    for (std::string_view path : kToMask)
      if (!within(path, masked)) open.emplace_back(path);
    jail_.unmasked.say(std::move(open), at(system, "maskedPaths"));
    bool writable = false;
    for (std::string_view path : {"/proc/sys", "/proc/sysrq-trigger"})
      if (!within(path, masked) && !within(path, fixed)) writable = true;
    jail_.settings_writable.say(writable, at(system, "readonlyPaths"));
  }

  void device(const Node& one, char kind) {
    jail_.devices.push_back(
        {std::string(text(one, "path")), kind, number(one, "major").value_or(-1),
         number(one, "minor").value_or(-1),
         get(one, "access") == nullptr || text(one, "access").find('w') != std::string_view::npos, at(one)});
  }

  void devices(const Node& system) {
    if (const Node* list = get(system, "devices"); list != nullptr)
      for (const Node& one : list->items) device(one, text(one, "type") == "b" ? 'b' : 'c');
    const Node* resources = get(system, "resources");
    const Node* list = resources == nullptr ? nullptr : get(*resources, "devices");
    if (list == nullptr || list->items.empty())
      return jail_.all_devices.unclear(
          "linux.resources.devices is not there, and what then holds is the runtime's");
    jail_.all_devices.say(true, at(*list));
    for (const Node& one : list->items) {
      const std::string_view type = text(one, "type");
      const bool all = (type.empty() || type == "a") && number(one, "major").value_or(-1) < 0 &&
                       number(one, "minor").value_or(-1) < 0;
      if (all)
        jail_.all_devices.say(flag(one, "allow"), at(one));
      else if (flag(one, "allow"))
        device(one, type == "b" ? 'b' : 'c');
    }
  }

  void limits(const Node& system) {
    const Node none;
    const Node* resources = get(system, "resources");
    if (resources == nullptr) resources = &none;
    const auto limit = [&](Value<bool>& value, const char* group, const char* key) {
      const Node* table = get(*resources, group);
      const int64_t bound = table == nullptr ? -1 : number(*table, key).value_or(-1);
      if (bound > 0)
        value.say(true, at(*table, key));
      else
        value.by_default(false, std::string("linux.resources.") + group + "." + key + " sets none");
    };
    limit(jail_.memory_limit, "memory", "limit");
    limit(jail_.process_limit, "pids", "limit");
    limit(jail_.processor_limit, "cpu", "quota");
    if (!jail_.processor_limit.value) limit(jail_.processor_limit, "cpu", "shares");
  }

  void environment(const Node& process) {
    jail_.whole_environment.by_default(false, "the specification");
    const Node* list = get(process, "env");
    if (list == nullptr) return;
    for (const Node& one : list->items) {
      const size_t equals = one.text.find('=');
      jail_.variables.push_back({one.text.substr(0, equals), at(one),
                                 equals == std::string::npos || equals + 1 == one.text.size()});
    }
  }

  // What startContainer names runs inside.
  void hooks() {
    const Node* all = get(top_, "hooks");
    if (all == nullptr) return;
    for (const Node& phase : all->members)
      if (phase.key != "startContainer")
        for (const Node& one : phase.items)
          jail_.programs.push_back({std::string(text(one, "path")), at(one), true, {}, {}, false, false});
  }

  void filter(const Node& system) {
    const Node* seccomp = get(system, "seccomp");
    if (seccomp == nullptr) return jail_.filter.by_default(false, "linux.seccomp is not there");
    jail_.filter.say(true, at(*seccomp));
    // It has been parsed once, so it is JSON, no key comes twice, and its depth is bounded.
    const nlohmann::json whole = nlohmann::json::parse(json_, nullptr, false);
    const std::string own = whole.at("linux").at("seccomp").dump();
    auto policy = read_oci_seccomp(own, shown_as_ + "#/linux/seccomp",
                                   jail_.capabilities.known() ? jail_.capabilities.value : 0);
    if (!policy)
      return jail_.open_calls.unclear(
          policy.error().why + (policy.error().origin.empty() ? "" : " (" + policy.error().origin + ")"));
    std::vector<std::string> open;
    for (const DangerousCall& call : dangerous_calls()) {
      const auto number_of = filter::syscall_number(filter::Arch::X86_64, call.name);
      if (!number_of) continue;
      seccomp_data data{};
      data.nr = static_cast<int>(*number_of);
      data.arch = AUDIT_ARCH_X86_64;
      data.args[0] = call.argument;
      const uint32_t action = filter::decide(*policy, data) & SECCOMP_RET_ACTION_FULL;
      if (action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG) open.emplace_back(call.name);
    }
    jail_.open_calls.say(std::move(open), at(*seccomp));
  }

  const Node& top_;
  std::string_view json_;
  std::string shown_as_;
  Described jail_;
};

}  // namespace

Result<Described> describe_oci_text(std::string_view json, const std::string& shown_as) {
  auto top = parse_json(json, shown_as);
  if (!top) {
    top.error().what = "cannot read the bundle " + immure::quoted(shown_as);
    return tl::unexpected<Error>(std::move(top.error()));
  }
  return Reader(*top, json, shown_as).read();
}

Result<Described> describe_oci(const std::string& bundle, const std::string& prefix) {
  struct stat seen {};
  const bool folder = stat(bundle.c_str(), &seen) == 0 && S_ISDIR(seen.st_mode);
  const std::string file = folder ? bundle + (bundle.ends_with('/') ? "" : "/") + "config.json" : bundle;
  auto text = read_regular(file, kLongestDescription);
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  auto jail = describe_oci_text(*text, file);
  if (!jail) return jail;
  jail->name = bundle;
  look_at_described(*jail, prefix);
  return jail;
}

}  // namespace immure::audit
