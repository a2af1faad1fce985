#include <algorithm>

#include "audit/rules/described/rules.h"
#include "kernel/capabilities.h"

namespace immure::audit {
namespace {

struct Power {
  unsigned number;
  Severity severity;
  const char* what;
};
// Those that are a way to the host, or most of one. Source: capabilities(7).
constexpr Power kPowers[] = {
    {16, Severity::Critical, "loads code into the kernel"},
    {17, Severity::Critical, "reaches ports, memory and disks directly"},
    {21, Severity::High, "mounts, and does most of what root does"},
    {19, Severity::High, "traces and reads every process that it sees"},
    {2, Severity::High, "opens any file of a file system by its handle"},
    {22, Severity::High, "boots the machine, or another kernel"},
    {39, Severity::High, "loads bpf programs"},
    {33, Severity::High, "changes the policy of the security modules"},
    {32, Severity::High, "passes by the security modules"},
    {27, Severity::Medium, "makes device nodes"},
    {1, Severity::Medium, "passes by the modes of all files"},
    {3, Severity::Low, "changes modes of files of others"},
    {12, Severity::Medium, "changes interfaces, routes and filters of the network"},
    {25, Severity::Medium, "sets the clock of the host"},
    {38, Severity::Medium, "measures the kernel and everybody"},
    {30, Severity::Low, "changes what the audit subsystem records"},
    {18, Severity::Low, "changes its root again"},
    {13, Severity::Low, "makes packets of any kind"},
    {24, Severity::Low, "passes by limits and quotas"},
    {34, Severity::Low, "reads the kernel log and addresses"},
    {40, Severity::Low, "writes ids of processes and their programs"},
    {9, Severity::Low, "changes files that nobody may change"},
};
constexpr uint64_t kPrivileged =
    (uint64_t{1} << 21) | (uint64_t{1} << 16) | (uint64_t{1} << 17) | (uint64_t{1} << 19);

bool is_privileged(const Described& jail) {
  return jail.capabilities.known() && (jail.capabilities.value & kPrivileged) == kPrivileged &&
         !own_users(jail);
}

// A bundle or a command gives capabilities; a unit can only leave to a service what every one of root's has.
Severity left(const Described& jail, Severity severity) {
  return jail.kind == "unit" ? std::min(severity, Severity::High) : severity;
}

void check_privileged(const Facts& facts, Answers& answers) {
  const Described& jail = *facts.described;
  if (jail.capabilities.word == Word::Silent) return;
  if (!jail.capabilities.known()) return answers.unknown(jail.capabilities.origin);
  answers.checked();
  if (is_privileged(jail))
    answers.found(left(jail, Severity::Critical), "capabilities",
                  with("it may load modules, mount, trace and reach ports", jail.capabilities.origin));
}

void check_capabilities(const Facts& facts, Answers& answers) {
  const Described& jail = *facts.described;
  if (jail.capabilities.word == Word::Silent) return;
  if (!jail.capabilities.known()) return answers.unknown(jail.capabilities.origin);
  answers.checked();
  // All of them are one finding of another rule.
  if (is_privileged(jail)) return;
  for (const Power& power : kPowers) {
    if (((jail.capabilities.value >> power.number) & 1) == 0) continue;
    Severity severity = left(jail, power.severity);
    if (own_users(jail)) severity = std::min(severity, Severity::Low);
    answers.found(severity, capability_name(power.number), with(power.what, jail.capabilities.origin), {},
                  capability_name(power.number));
  }
}

void check_ambient(const Facts& facts, Answers& answers) {
  const Value<uint64_t>& ambient = facts.described->ambient;
  if (ambient.word == Word::Silent) return;
  if (!ambient.known()) return answers.unknown(ambient.origin);
  answers.checked();
  // Ports below 1024 are what ambient capabilities are mostly for.
  constexpr uint64_t kHarmless = uint64_t{1} << 10;
  if ((ambient.value & ~kHarmless) != 0)
    answers.found("ambient set", with(capability_set(ambient.value, kKnownCapabilities - 1), ambient.origin));
}

void check_outside(const Facts& facts, Answers& answers) {
  const Described& jail = *facts.described;
  const Value<bool>& root = jail.root_outside;
  if (root.word == Word::Silent) return;
  if (!root.known()) return answers.unknown(root.origin);
  answers.checked();
  if (!root.value) return;
  // Without a capability root still owns the host's files. What kind of file says so makes no difference.
  const bool bare = jail.capabilities.is(0);
  answers.found(bare ? Severity::Medium : Severity::High, "its user",
                with("is root of the host", root.origin));
}

void check_new(const Facts& facts, Answers& answers) {
  check_value(facts.described->no_new_privs, false, "no_new_privs", "is not set", answers);
}

// Groups that are root by another name, or see what only root should.
constexpr std::string_view kGroups[] = {"docker", "lxd",    "incus", "incus-admin", "disk",   "sudo", "wheel",
                                        "root",   "shadow", "kmem",  "libvirt",     "podman", "0"};

void check_groups(const Facts& facts, Answers& answers) {
  answers.checked();
  const bool root = facts.described->root_outside.is(true);
  for (const auto& [group, origin] : facts.described->groups)
    for (std::string_view known : kGroups)
      if (group == known && !(root && (group == "root" || group == "0")))
        answers.found("group " + group, origin);
}

void check_unbounded(const Facts& facts, Answers& answers) {
  answers.checked();
  for (const DescribedProgram& one : facts.described->programs)
    if (one.unbounded)
      answers.found(one.main ? Severity::High : Severity::Advice, one.path,
                    with("runs with all rights", one.origin), one.path);
}

void check_label(const Facts& facts, Answers& answers) {
  const Value<std::string>& label = facts.described->label;
  if (label.word == Word::Silent) return;
  if (!label.known()) return answers.unknown(label.origin);
  answers.checked();
  if (label.value.empty()) return answers.found("security module", label.origin);
  if (label.value.find("unconfined") != std::string::npos)
    answers.found(Severity::Low, "security module", with(label.value, label.origin));
}

}  // namespace

const Rule kDescribedRootOutside = {
    "described-root-outside",
    Look::Described,
    Severity::High,
    Concern::Privilege,
    Point::Privileges,
    "its user is root of the host",
    "Every file of root is its own, in the jail and wherever a wall has a gap. Root inside is root outside, unless a user "
    "namespace maps it to somebody else.",
    "",
    "unit: User= or DynamicUser=yes; OCI: another process.user.uid, or a user namespace with "
    "uidMappings; bwrap: run it as another user",
    "user_namespaces(7); credentials(7)",
    check_outside,
    Mend::None,
    "root-outside root-mapped chroot-walk"};
const Rule kDescribedPrivileged = {
    "described-privileged",
    Look::Described,
    Severity::Critical,
    Concern::Privilege,
    Point::Privileges,
    "it has the powers of root over the host",
    "With these capabilities a program leaves any jail: it mounts the disk of the host, loads a module or writes to "
    "memory. All other walls are then for order alone.",
    "",
    "take all capabilities away, and give back the few that are needed",
    "capabilities(7)",
    check_privileged,
    Mend::None,
    "privilege mount-root-disk handle-top handle-folder"};
const Rule kDescribedCapabilities = {
    "described-capabilities",
    Look::Described,
    Severity::Medium,
    Concern::Privilege,
    Point::Privileges,
    "a capability that reaches the host is kept",
    "Each capability is a part of what root may do, and several of them are a way to all of it. In a user namespace of "
    "its own it opens code of the kernel that was written for root.",
    "",
    "bwrap: --cap-drop ALL; unit: CapabilityBoundingSet=~ with its name, and out of "
    "AmbientCapabilities=; OCI: take it out of every set of process.capabilities; profile: take it out "
    "of cap-add",
    "capabilities(7)",
    check_capabilities,
    Mend::None,
    "cap-sys-admin cap-sys-ptrace cap-dac-read-search handle-top handle-folder cap-mknod cap-net-admin cap-net-raw "
    "cap-sys-chroot cap-dac-override cap-bpf cap-perfmon cap-syslog cap-sys-time cap-sys-boot"};
const Rule kDescribedAmbient = {
    "described-ambient",
    Look::Described,
    Severity::Low,
    Concern::Privilege,
    Point::Privileges,
    "capabilities are handed to everything it starts",
    "Ambient capabilities outlive every execve, also of a shell that somebody got in by a fault. In the permitted set "
    "alone they would end with the program.",
    "",
    "give file capabilities to the one program, or open the port outside and hand it over",
    "capabilities(7)",
    check_ambient,
    Mend::None,
    "cap-ambient-set"};
const Rule kDescribedNewPrivileges = {
    "described-new-privileges",
    Look::Described,
    Severity::Medium,
    Concern::Privilege,
    Point::Privileges,
    "set-id programs still raise rights",
    "One set-id program with a fault inside the jail is root. With no_new_privs none of them is more than any other "
    "program.",
    "",
    "unit: NoNewPrivileges=yes; OCI: process.noNewPrivileges: true",
    "PR_SET_NO_NEW_PRIVS(2const)",
    check_new,
    Mend::None,
    "set-uid-program set-gid-program file-capability-program no-new-privs"};
const Rule kDescribedMemberships = {
    "described-groups",
    Look::Described,
    Severity::High,
    Concern::Privilege,
    Point::Privileges,
    "a group that is as good as root",
    "Members of these groups command the manager of containers, or read disks and passwords. A jail that keeps such a "
    "group has a door beside its walls.",
    "",
    "take the group away from the service, or from its user",
    "credentials(7); group(5)",
    check_groups,
    Mend::None,
    "kept-groups take-groups planted-docker-socket"};
const Rule kDescribedUnbounded = {
    "described-unbounded",
    Look::Described,
    Severity::High,
    Concern::Privilege,
    Point::Privileges,
    "a command of it runs without the sandbox",
    "A + before the command takes user, capabilities, root and filter away for it. Whoever gets hold of that command has "
    "all rights.",
    "",
    "leave the + out, and give the command what it needs",
    "systemd.service(5), Table 2",
    check_unbounded};
const Rule kDescribedLabel = {
    "described-label",
    Look::Described,
    Severity::Advice,
    Concern::Isolation,
    Point::Module,
    "no security module confines it",
    "A profile of AppArmor or SELinux holds when a wall of the kernel has a gap. Without one the program then has what its "
    "user has.",
    "",
    "unit: name a profile, AppArmorProfile=; OCI: name a profile, process.apparmorProfile; bwrap: aa-exec "
    "before it, or --exec-label",
    "apparmor(7)",
    check_label};

}  // namespace immure::audit
