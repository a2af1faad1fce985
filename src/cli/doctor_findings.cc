#include <algorithm>

#include "base/text.h"
#include "cli/doctor.h"
#include "kernel/capabilities.h"
#include "kernel/mountinfo.h"
#include "uapi/kernel.h"

namespace immure::cli {
namespace {

Finding good(std::string_view section, std::string name, std::string value = {}) {
  return {section, std::move(name), Verdict::Good, std::move(value), {}, {}};
}
Finding poor(Verdict verdict, std::string_view section, std::string name, std::string value, std::string why,
             std::string how) {
  return {section, std::move(name), verdict, std::move(value), std::move(why), std::move(how)};
}

// ---- host and caller
// -------------------------------------------------------------------------------------------

void host(const Checkup& c, std::vector<Finding>& out) {
  out.push_back(good("host", "kernel", "Linux " + c.kernel + " on " + c.machine));
  std::string caller = c.host.uid == 0 ? "root" : "user " + num(c.host.uid);
  caller += ", capabilities: " + capability_set(c.host.capabilities, c.features.last_capability);
  out.push_back(good("host", "caller", caller));
  if (c.around.seccomp_filter)
    out.push_back(poor(Verdict::Note, "host", "filter", "the caller runs under a seccomp filter already",
                       "what it refuses cannot be had in a jail either",
                       "start immure outside of it, if something is missing below"));
  if (c.around.container) out.push_back(good("host", "container", "the caller is in a container"));
  if (c.around.chrooted)
    out.push_back(poor(Verdict::Bad, "host", "chroot", "the caller is in a chroot",
                       "the kernel gives no user namespaces in a chroot", "start immure outside of it"));
}

// ---- namespaces and calls
// -----------------------------------------------------------------------------------------

struct NamespaceRow {
  const char* name;
  Fact Features::*fact;
  bool required;
};
constexpr NamespaceRow kNamespaces[] = {
    {"user", &Features::user_ns, true},         {"mount", &Features::mount_ns, true},
    {"pid", &Features::pid_ns, true},           {"network", &Features::net_ns, true},
    {"ipc", &Features::ipc_ns, true},           {"uts", &Features::uts_ns, true},
    {"cgroup", &Features::cgroup_ns, true},     {"time", &Features::time_ns, false},
    {"own /proc", &Features::proc_mount, true},
};

void namespaces(const Checkup& c, std::vector<Finding>& out) {
  for (const NamespaceRow& row : kNamespaces) {
    const Fact& fact = c.features.*row.fact;
    if (fact.ok)
      out.push_back(good("namespaces", row.name));
    else
      out.push_back(poor(row.required ? Verdict::Bad : Verdict::Note, "namespaces", row.name,
                         fact.error != 0 ? errno_name(fact.error) : std::string(), fact.reason, fact.remedy));
  }
}

struct CallRow {
  const char* name;
  bool Features::*field;
  const char* lost;
  const char* since;
};
constexpr CallRow kCalls[] = {
    {"clone3", &Features::clone3, "the jail's first process cannot be made in one step", "5.3"},
    {"mount API", &Features::mount_api, "mounts are made by path instead of by descriptor", "5.2"},
    {"mount_setattr", &Features::mount_setattr, "mount flags are set one mount at a time", "5.12"},
    {"openat2", &Features::openat2, "paths below a root are walked step by step", "5.6"},
    {"close_range", &Features::close_range, "descriptors are closed one by one", "5.9"},
    {"overlay for users", &Features::overlay_unprivileged, "a root is bound instead of laid over", "5.11"},
    {"overlay by descriptor", &Features::overlay_layer_fds,
     "the mount table inside shows paths of the outside", "6.15"},
    {"birth in a cgroup", &Features::clone_into_cgroup, "joining a control group costs milliseconds", "5.7"},
    {"memfd_noexec", &Features::memfd_noexec, "there are no files in memory, since they could be executed",
     "6.3"},
    {"seccomp listener", &Features::seccomp_listener, "denied calls are not reported by name", "5.0"},
    {"time ns at exec", &Features::time_ns_on_exec,
     "with own clocks a start cannot share memory with its parent", "6.2"},
};

void calls(const Checkup& c, std::vector<Finding>& out) {
  for (const CallRow& row : kCalls) {
    if (c.features.*row.field) {
      out.push_back(good("calls", row.name));
      continue;
    }
    std::string how = c.around.seccomp_filter
                          ? "if the kernel is new enough, the outer seccomp filter hides it; else "
                          : "";
    // A user has no say over this knob even where there is one: it belongs to the machine's root.
    if (row.field == &Features::memfd_noexec && !c.host.privileged) how = "start immure as root, on ";
    out.push_back(
        poor(Verdict::Note, "calls", row.name, {}, row.lost, how + "a kernel from " + row.since + " on"));
  }
}

constexpr const char* kLandlockKernel = "a kernel from 6.12 on (ABI 6)";

// ---- security modules
// ---------------------------------------------------------------------------------------------

void modules(const Checkup& c, std::vector<Finding>& out) {
  int abi = c.features.landlock_abi;
  std::string value = "ABI " + num(static_cast<uint64_t>(abi));
  if (abi == 0) {
    bool known = list_has(c.features.lsm, "landlock");
    out.push_back(
        poor(Verdict::Bad, "security modules", "Landlock", {},
             known ? "it is active, but its calls are refused here" : "it is not among the active modules",
             known ? "allow landlock_create_ruleset(2) in the outer seccomp filter"
                   : "boot with lsm=landlock," + (c.features.lsm.empty() ? "…" : c.features.lsm)));
  } else if (abi < 6) {
    std::string lost = abi < 4 ? "no rules for TCP ports, " : "";
    if (abi < 5) lost += "no rules for device ioctls, ";
    out.push_back(poor(Verdict::Note, "security modules", "Landlock", value,
                       lost + "no scopes for signals and abstract sockets", kLandlockKernel));
  } else {
    out.push_back(good("security modules", "Landlock", value));
  }
  if (c.features.lsm.empty())
    out.push_back(poor(Verdict::Note, "security modules", "active", "not told",
                       "neither the kernel nor securityfs lists them",
                       "as root: mount -t securityfs none /sys/kernel/security"));
  else
    out.push_back(good("security modules", "active", c.features.lsm));
  bool label = false;
  for (const char* name : {"apparmor", "selinux", "smack", "tomoyo"}) label |= list_has(c.features.lsm, name);
  if (!label)
    out.push_back(good("security modules", "label", "none of these gives labels; immure asks for none"));
}

// ---- control groups
// -----------------------------------------------------------------------------------------------

const char* mode_name(CgroupMode mode) {
  switch (mode) {
    case CgroupMode::None: return "none";
    case CgroupMode::V1: return "version 1";
    case CgroupMode::Hybrid: return "hybrid: versions 1 and 2 side by side";
    case CgroupMode::V2: return "version 2";
  }
  return "";
}

std::string place_of(const CgroupFacts& facts, std::string_view controller) {
  if (facts.v1_writable)
    for (const auto& own : facts.v1)
      if (own.name == controller) return "v1, below " + own.own_path;
  for (const std::string& name : facts.v2_controllers)
    if (facts.v2_writable && name == controller) return "v2, below " + facts.v2_path;
  return {};
}

void groups(const Checkup& c, std::vector<Finding>& out) {
  const CgroupFacts& facts = c.features.cgroup;
  const char* section = "control groups";
  out.push_back(good(section, "mode", mode_name(facts.mode)));
  for (const char* name : {"memory", "pids", "cpu"}) {
    std::string place = place_of(facts, name);
    if (!place.empty()) {
      out.push_back(good(section, name, place));
      continue;
    }
    Finding bad = poor(Verdict::Bad, section, name, {}, "it cannot be used here", "see cgroups(7)");
    for (const auto& one : facts.unusable)
      if (one.controller == name) {
        bad.why = one.reason;
        bad.how = one.remedy;
      }
    // Without a group, limits bind each process, and a supervisor sums the rest: weaker, not missing.
    if (!c.host.privileged) bad.verdict = Verdict::Note;
    out.push_back(std::move(bad));
  }
  // A jail's group is frozen where it is one of version 2; on a hybrid host its groups are of version 1.
  bool freezes = facts.mode == CgroupMode::V2 && facts.v2_writable;
  if (freezes)
    out.push_back(good(section, "freeze", "v2, below " + facts.v2_path));
  else
    out.push_back(poor(Verdict::Note, section, "freeze", "by SIGSTOP to each process",
                       facts.mode == CgroupMode::V2 ? "no group can be made in the unified tree"
                                                    : "a jail's groups are not of version 2",
                       facts.mode == CgroupMode::V2 && !facts.unusable.empty()
                           ? facts.unusable[0].remedy
                           : "boot with version 2 alone: systemd.unified_cgroup_hierarchy=1"));
  if (facts.v2_leaf_first)
    out.push_back(good(section, "delegation", "the caller is alone in its group and steps aside in it"));
}

// ---- ids and helpers
// ------------------------------------------------------------------------------------------------

std::string ranges_text(const std::vector<Host::Range>& ranges) {
  std::string out;
  for (const Host::Range& range : ranges) {
    if (!out.empty()) out += ", ";
    out += num(range.count) + " from " + num(range.outside);
  }
  return out;
}

const Checkup::Helper* helper(const Checkup& c, std::string_view name) {
  for (const auto& one : c.helpers)
    if (one.name == name) return &one;
  return nullptr;
}

void ids(const Checkup& c, std::vector<Finding>& out) {
  const char* section = "ids";
  if (c.host.privileged) {
    out.push_back(good(section, "id maps", "root writes any: " + ranges_text(c.host.uid_ranges)));
    return;
  }
  out.push_back(good(section, "one id", "the kernel lets a user map its own"));
  for (const char* name : {"newuidmap", "newgidmap"}) {
    const Checkup::Helper* tool = helper(c, name);
    if (tool == nullptr || tool->path.empty())
      out.push_back(poor(Verdict::Note, section, name, {},
                         "it is not installed, so --uid-range cannot be had", "apt install uidmap"));
    else if (!tool->privileged)
      out.push_back(poor(Verdict::Note, section, name, tool->path,
                         "it has neither the set-user-id bit nor capabilities",
                         "apt install --reinstall uidmap"));
    else
      out.push_back(good(section, name, tool->path));
  }
  struct Sub {
    const char* name;
    const std::vector<Host::Range>* ranges;
  };
  for (const Sub& sub : {Sub{"subuid", &c.host.subuids}, Sub{"subgid", &c.host.subgids}}) {
    if (!sub.ranges->empty()) {
      out.push_back(good(section, sub.name, ranges_text(*sub.ranges)));
      continue;
    }
    bool users = std::string_view(sub.name) == "subuid";
    out.push_back(poor(Verdict::Note, section, sub.name, {},
                       std::string("/etc/") + sub.name + " has no range for this user",
                       std::string("as root: usermod --add-sub") + (users ? "u" : "g") +
                           "ids 100000-165535 USER (other numbers, where these are another user's)"));
  }
}

// ---- knobs of the host
// ------------------------------------------------------------------------------------------------

// The least value that is good, and what a lower one lets happen. They matter to every jail on the host.
struct Knob {
  const char* name;
  uint64_t least;
  bool nought_is_good;  // the other way round: only 0 is good
  const char* why;
};
constexpr Knob kKnobs[] = {
    {"fs.protected_hardlinks", 1, false, "users may link to files that they do not own"},
    {"fs.protected_symlinks", 1, false, "links in /tmp are followed for others"},
    {"fs.protected_fifos", 1, false, "others' FIFOs in /tmp are opened unawares"},
    {"fs.protected_regular", 1, false, "others' files in /tmp are opened for writing unawares"},
    {"fs.suid_dumpable", 0, true, "set-id programs leave core dumps"},
    {"kernel.dmesg_restrict", 1, false, "any user reads the kernel's log"},
    {"kernel.kptr_restrict", 1, false, "kernel addresses are shown"},
    {"kernel.unprivileged_bpf_disabled", 1, false,
     "any user loads BPF programs (immure's filter denies it inside)"},
    {"kernel.perf_event_paranoid", 2, false, "any user measures the kernel"},
    {"kernel.yama.ptrace_scope", 1, false, "a program may trace others of its user"},
    {"kernel.io_uring_disabled", 1, false, "any user may use io_uring (immure's filter denies it inside)"},
    {"vm.unprivileged_userfaultfd", 0, true, "any user can hold the kernel at a page fault"},
    {"dev.tty.legacy_tiocsti", 0, true, "a program may type into its terminal (an own terminal is immune)"},
};

void knobs(const Checkup& c, std::vector<Finding>& out) {
  for (const Knob& knob : kKnobs) {
    for (const auto& sysctl : c.sysctls) {
      if (sysctl.name != knob.name || !sysctl.value) continue;
      // perf_event_paranoid can be -1: that is less than any.
      auto value = parse_u64(*sysctl.value);
      bool fine = knob.nought_is_good ? value == 0 : value && *value >= knob.least;
      if (fine)
        out.push_back(good("sysctls", knob.name, *sysctl.value));
      else
        out.push_back(poor(Verdict::Note, "sysctls", knob.name, *sysctl.value, knob.why,
                           std::string("as root: sysctl -w ") + knob.name + "=" + num(knob.least)));
    }
  }
}

// What mends a layer that is there in part; empty: nothing does, in this version.
std::string mends(const Checkup& c, Layer layer) {
  if (layer == Layer::Cgroup && !c.features.cgroup.unusable.empty())
    return c.features.cgroup.unusable[0].remedy;
  if (layer == Layer::Landlock) return kLandlockKernel;
  if (layer == Layer::TimeNs) return c.features.time_ns.remedy;
  return {};
}

void jail(const Checkup& c, std::vector<Finding>& out) {
  const char* section = "the default jail";
  if (c.refusal) {
    out.push_back(poor(Verdict::Bad, section, "cannot be made", {},
                       c.refusal->what + (c.refusal->why.empty() ? "" : ": " + c.refusal->why),
                       c.refusal->how));
    return;
  }
  if (!c.plan) return;
  unsigned in_force = 0;
  for (int i = 0; i < kLayerCount; i++) {
    const LayerPlan& layer = c.plan->layers[static_cast<size_t>(i)];
    if (layer.state == State::InForce) {
      in_force++;
      continue;
    }
    Verdict verdict = layer.need == Need::Require ? Verdict::Bad : Verdict::Note;
    out.push_back(poor(verdict, section, name(static_cast<Layer>(i)), name(layer.state), layer.reason,
                       mends(c, static_cast<Layer>(i))));
  }
  out.push_back(good(section, "in force", num(in_force) + " of " + num(kLayerCount) + " layers"));
}

}  // namespace

std::vector<Finding> findings(const Checkup& checkup) {
  std::vector<Finding> out;
  host(checkup, out);
  namespaces(checkup, out);
  calls(checkup, out);
  modules(checkup, out);
  groups(checkup, out);
  ids(checkup, out);
  knobs(checkup, out);
  jail(checkup, out);
  return out;
}

bool default_jail_in_full(const Checkup& checkup) {
  if (!checkup.plan) return false;
  for (const LayerPlan& layer : checkup.plan->layers)
    if (layer.need == Need::Require && layer.state != State::InForce) return false;
  return true;
}

}  // namespace immure::cli
