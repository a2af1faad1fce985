#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/file.h"
#include "base/text.h"
#include "kernel/cgroup.h"
#include "kernel/mountinfo.h"
#include "kernel/proc.h"
#include "kernel/sys.h"

namespace immure {
namespace {

// What a jail's limits need; the rest is only used when it is there, and believed to be where these are.
constexpr std::string_view kWanted[] = {"memory", "pids", "cpu"};

bool among(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
bool among(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// 0: the caller may make directories there; else errno (EROFS tells of a read-only mount).
int writable(const std::string& path) {
  long result = sys::call(__NR_faccessat2, AT_FDCWD, sys::arg(path.c_str()), W_OK, AT_EACCESS);
  if (result == -ENOSYS) result = sys::call(__NR_faccessat, AT_FDCWD, sys::arg(path.c_str()), W_OK);
  return static_cast<int>(-result);
}

bool exists(const std::string& path) {
  return !sys::failed(sys::call(__NR_faccessat, AT_FDCWD, sys::arg(path.c_str()), F_OK));
}

std::string append(std::string_view base, std::string_view path) {
  std::string out(base);
  if (path != "/") out += path;
  return out;
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  for (std::string_view word = next_word(text); !word.empty(); word = next_word(text)) out.emplace_back(word);
  return out;
}

std::vector<std::string> words_of(const std::string& file) {
  char buffer[512];
  return words(read_view(file.c_str(), buffer));
}

// A group that is not where trees usually hang: the mount whose root the group's path lies under. In a
// container without a cgroup namespace the path is the host's and the mount shows only a part of the tree.
std::string through_mounts(std::string_view mountinfo, std::string_view controller, std::string_view path) {
  MountReader reader(mountinfo);
  while (auto mount = reader.next()) {
    bool unified = controller.empty();
    if (mount->fstype != (unified ? "cgroup2" : "cgroup")) continue;
    if (!unified && !list_has(mount->super_options, controller)) continue;
    std::string root = unescape(mount->root);
    std::string_view rest = path;
    if (root != "/") {
      if (!rest.starts_with(root)) continue;
      rest.remove_prefix(root.size());
      if (!rest.empty() && rest.front() != '/') continue;
    }
    std::string dir = append(unescape(mount->target), rest.empty() ? std::string_view("/") : rest);
    if (exists(dir)) return dir;
  }
  return {};
}

// One level of the unified tree, as somewhere to make groups.
struct Level {
  std::string path;
  std::vector<std::string> controllers, enabled;
  bool root = false;   // the root group of the machine, which may hold processes
  bool empty = false;  // holds no process itself
  int error = 0;       // of writing there
  bool can_limit() const { return root || empty || !enabled.empty(); }
};

Level look_at(const std::string& path, bool top) {
  Level level;
  level.path = path;
  level.error = writable(path);
  level.controllers = words_of(path + "/cgroup.controllers");
  level.enabled = words_of(path + "/cgroup.subtree_control");
  // Only the machine's root lacks cgroup.type; the root of a cgroup namespace has it.
  level.root = top && !exists(path + "/cgroup.type");
  if (!level.root && level.enabled.empty()) {
    char buffer[16];
    level.empty = read_small(AT_FDCWD, (path + "/cgroup.procs").c_str(), buffer) == 0;
  }
  // A process moves only between groups whose common ancestor's cgroup.procs the caller may write.
  if (level.error == 0) level.error = writable(path + "/cgroup.procs");
  return level;
}

bool limits_something(const std::vector<std::string>& controllers) {
  for (std::string_view name : kWanted)
    if (among(controllers, name)) return true;
  return false;
}

// The caller's own group holds only the caller.
bool alone(const std::string& path) {
  char buffer[64];
  std::string file = path + "/cgroup.procs";
  std::string_view text = read_view(file.c_str(), buffer);
  std::string_view line;
  return next_line(text, line) && text.empty();
}

struct Choice {
  std::string denied, remedy;  // why the nearest one could not be had
};

void use(CgroupFacts& facts, const Level& level) {
  facts.v2_path = level.path;
  facts.v2_writable = level.error == 0;
  facts.v2_controllers = level.can_limit() ? level.controllers : level.enabled;
  facts.v2_enabled = level.enabled;
}

std::string why_not_writable(const Level& level) {
  if (level.error == EROFS) return "the cgroup tree is mounted read-only, as containers have it";
  return "the group " + level.path + " is not delegated to this user";
}
const char* how_to_write(const Level& level) {
  if (level.error == EROFS) return "mount /sys/fs/cgroup writable in the container";
  return "systemd-run --user --scope -p Delegate=yes immure run …";
}

// From the own group upwards to the mount's root.
Choice choose_v2(CgroupFacts& facts, const std::string& top) {
  Level own = look_at(facts.v2_own_path, facts.v2_own_path == top);
  if (!limits_something(own.root ? own.controllers : words_of(top + "/cgroup.controllers"))) {
    use(facts, own);  // no limits here: for killing and freezing only
    return own.error == 0 ? Choice{} : Choice{why_not_writable(own), how_to_write(own)};
  }
  // Alone in its group, the caller steps aside in it: limits that stand there, a unit's say, go on holding.
  if (own.error == 0 && !own.can_limit() && limits_something(own.controllers) && alone(own.path)) {
    use(facts, own);
    facts.v2_leaf_first = true;
    facts.v2_controllers = own.controllers;
    return {};
  }
  for (Level level = own;;) {
    if (level.error == 0 && level.can_limit() && limits_something(level.controllers)) {
      use(facts, level);
      return {};
    }
    if (level.path.size() <= top.size()) break;
    std::string parent = level.path.substr(0, level.path.rfind('/'));
    level = look_at(parent, parent == top);
  }
  use(facts, own);
  if (own.error != 0) return {why_not_writable(own), how_to_write(own)};
  return {"the group " + own.path + " holds other processes, so its children cannot be limited",
          "systemd-run --scope -p Delegate=yes immure run …"};
}

// Finds the unified tree: alone at the base, beside v1 below it, or elsewhere. Returns the mount's root.
std::string find_unified(CgroupFacts& facts, const CgroupSources& sources, std::string_view own,
                         std::string& mountinfo) {
  std::string top(sources.base);
  if (!facts.v1.empty()) top += "/unified";
  std::string dir = append(top, own);
  if (exists(dir + "/cgroup.controllers")) {
    facts.v2_own_path = std::move(dir);
    return top;
  }
  if (mountinfo.empty()) mountinfo = read_file(sources.mountinfo).value_or(std::string());
  facts.v2_own_path = through_mounts(mountinfo, {}, own);
  MountReader reader(mountinfo);
  while (auto mount = reader.next()) {
    std::string target = unescape(mount->target);
    if (mount->fstype == "cgroup2" && facts.v2_own_path.starts_with(target)) return target;
  }
  return facts.v2_own_path;
}

bool in_v1(const CgroupFacts& facts, std::string_view name) {
  for (const auto& controller : facts.v1)
    if (controller.name == name) return true;
  return false;
}

const CgroupFacts::Unusable* find(const std::vector<CgroupFacts::Unusable>& all,
                                  std::string_view controller) {
  for (const auto& one : all)
    if (one.controller == controller) return &one;
  return nullptr;
}

bool limits_in_v1(const CgroupFacts& facts) {
  if (!facts.v1_writable) return false;
  for (std::string_view name : kWanted)
    if (!in_v1(facts, name)) return false;
  return true;
}

bool decides_all(const CgroupFacts& facts, const std::vector<CgroupFacts::Unusable>& v1_denied) {
  for (std::string_view name : kWanted)
    if (!in_v1(facts, name) && find(v1_denied, name) == nullptr) return false;
  return true;
}

void explain_missing(CgroupFacts& facts, const std::string& top, const Choice& choice,
                     const std::vector<CgroupFacts::Unusable>& v1_denied) {
  for (std::string_view name : kWanted) {
    if (facts.v1_writable && in_v1(facts, name)) continue;
    if (facts.v2_writable && among(facts.v2_controllers, name)) continue;
    CgroupFacts::Unusable missing{std::string(name), {}, {}};
    const CgroupFacts::Unusable* denied = find(v1_denied, name);
    if (denied != nullptr) {
      missing = *denied;
    } else if (top.empty()) {
      missing.reason = "no control group tree is mounted";
      missing.remedy = "as root: mount -t cgroup2 none /sys/fs/cgroup";
    } else if (!among(words_of(top + "/cgroup.controllers"), name)) {
      missing.reason = "the kernel does not offer it in the unified tree";
      missing.remedy =
          "boot with cgroup_enable=" + missing.controller + " systemd.unified_cgroup_hierarchy=1";
    } else if (!choice.denied.empty()) {
      missing.reason = choice.denied;
      missing.remedy = choice.remedy;
    } else {
      missing.reason = "it is not handed down to " + facts.v2_path;
      missing.remedy =
          "as root: mkdir -p /etc/systemd/system/user@.service.d && printf '[Service]\\nDelegate=cpu cpuset "
          "io memory pids\\n' "
          ">/etc/systemd/system/user@.service.d/delegate.conf && systemctl daemon-reload; then log in again";
    }
    facts.unusable.push_back(std::move(missing));
  }
}

CgroupFacts::Unusable why_not_v1(const CgroupFacts::Controller& controller, int error) {
  CgroupFacts::Unusable out{controller.name, {}, {}};
  if (error == EROFS) {
    out.reason = "the cgroup trees are mounted read-only, as containers have them";
    out.remedy = "mount /sys/fs/cgroup writable in the container";
  } else if (error == ENOENT) {
    out.reason = "the group " + controller.own_path + " is not visible here";
    out.remedy = "as root: mount -t cgroup -o " + controller.name + " none /sys/fs/cgroup/" + controller.name;
  } else {
    out.reason = "the group " + controller.own_path + " belongs to another user";
    // For the caller's shell, which has the words behind "$" right; what it starts afterwards is in the
    // group.
    out.remedy = "d=" + controller.own_path +
                 "/user-$(id -u) && sudo mkdir -p $d && sudo chown -R $(id -u) $d && echo $$ | sudo tee "
                 "$d/cgroup.procs";
  }
  return out;
}

// Keeps of the v1 groups those where the caller can make one; all of them when there is none. Returns the
// others.
std::vector<CgroupFacts::Unusable> sift_v1(CgroupFacts& facts, const CgroupSources& sources,
                                           std::string& mountinfo) {
  std::vector<CgroupFacts::Unusable> denied;
  std::vector<CgroupFacts::Controller> good;
  for (auto& controller : facts.v1) {
    int error = among(kWanted, controller.name) ? writable(controller.own_path) : 0;
    if (error == ENOENT) {
      if (mountinfo.empty()) mountinfo = read_file(sources.mountinfo).value_or(std::string());
      std::string_view path = std::string_view(controller.own_path);
      path.remove_prefix(std::min(path.size(), sources.base.size() + 1 + controller.name.size()));
      std::string found = through_mounts(mountinfo, controller.name, path.empty() ? "/" : path);
      if (!found.empty()) {
        controller.own_path = found;
        error = writable(found);
      }
    }
    if (error == 0)
      good.push_back(controller);
    else
      denied.push_back(why_not_v1(controller, error));
    if (error == 0 && among(kWanted, controller.name)) facts.v1_writable = true;
  }
  if (facts.v1_writable) facts.v1 = std::move(good);
  return denied;
}

}  // namespace

CgroupFacts cgroup_facts(const CgroupSources& sources) {
  CgroupFacts facts;
  std::string_view rest = sources.self_cgroup, line, unified;
  while (next_line(rest, line)) {
    auto group = parse_cgroup_line(line);
    if (!group) continue;
    if (group->controllers.empty()) {
      unified = group->path;
      continue;
    }
    if (group->controllers.starts_with("name=")) continue;
    for (std::string_view name : split(group->controllers, ','))
      facts.v1.push_back(
          {std::string(name), append(std::string(sources.base) + "/" + std::string(name), group->path)});
  }
  std::string mountinfo, top;
  std::vector<CgroupFacts::Unusable> v1_denied;
  if (!facts.v1.empty()) v1_denied = sift_v1(facts, sources, mountinfo);
  Choice choice;
  bool left_alone = sources.for_plan && !unified.empty() && decides_all(facts, v1_denied);
  if (!unified.empty() && !left_alone) {
    top = find_unified(facts, sources, unified, mountinfo);
    if (limits_in_v1(facts)) {
      // The unified tree is only for killing and freezing: its controllers need no look.
      facts.v2_path = facts.v2_own_path;
      facts.v2_writable = !facts.v2_path.empty() && writable(facts.v2_path) == 0;
    } else if (!facts.v2_own_path.empty()) {
      choice = choose_v2(facts, top);
    }
  }
  bool v2 = left_alone || !facts.v2_own_path.empty();
  facts.mode = facts.v1.empty() ? (v2 ? CgroupMode::V2 : CgroupMode::None)
                                : (v2 ? CgroupMode::Hybrid : CgroupMode::V1);
  explain_missing(facts, v2 ? top : std::string(), choice, v1_denied);
  return facts;
}

std::vector<CgroupDirectory> cgroup_directories(const CgroupSources& sources) {
  std::vector<CgroupDirectory> out;
  std::string mountinfo, base(sources.base);
  std::string_view rest = sources.self_cgroup, line;
  while (next_line(rest, line)) {
    auto group = parse_cgroup_line(line);
    if (!group) continue;
    bool unified = group->controllers.empty();
    CgroupDirectory entry{
        unified ? "unified" : std::string(group->controllers), std::string(group->path), {}};
    std::string_view key = group->controllers;
    if (key.starts_with("name=")) key.remove_prefix(5);
    std::string tops[] = {unified ? base : base + "/" + std::string(key.substr(0, key.find(','))),
                          base + "/unified"};
    for (size_t i = 0; i < (unified ? 2u : 1u) && entry.directory.empty(); i++) {
      std::string dir = append(tops[i], group->path);
      if (exists(dir + "/cgroup.procs")) entry.directory = dir;
    }
    if (entry.directory.empty()) {
      if (mountinfo.empty()) mountinfo = read_file(sources.mountinfo).value_or(std::string());
      std::string_view first = group->controllers.substr(0, group->controllers.find(','));
      entry.directory = through_mounts(mountinfo, first, group->path);
    }
    out.push_back(std::move(entry));
  }
  return out;
}

CgroupFacts observe_cgroups(bool for_plan) {
  char buffer[4096];
  CgroupSources sources;
  sources.for_plan = for_plan;
  sources.self_cgroup = read_view("/proc/self/cgroup", buffer);
  return cgroup_facts(sources);
}

}  // namespace immure
