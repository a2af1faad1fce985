// Who it is outside, and whether it can become another.
#include <linux/securebits.h>

#include <algorithm>

#include "audit/rules/process/held.h"
#include "audit/rules/process/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

void root_outside(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (whose(live, "user") == Whose::Unknown) {
    answers.unknown("its user namespace is not readable for this caller");
    return;
  }
  answers.checked();
  if (has_own_users(live)) return;
  for (const ThreadView& thread : live.threads) {
    if (std::find(std::begin(thread.uid), std::end(thread.uid), 0u) == std::end(thread.uid)) continue;
    answers.found("uid 0" + of_thread(thread, live),
                  "uids " + num(thread.uid[0]) + " " + num(thread.uid[1]) + " " + num(thread.uid[2]) + " " +
                      num(thread.uid[3]) + " (real, effective, saved, files) of the first user namespace");
    return;
  }
}

void root_mapped(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (!has_own_users(live)) return;
  if (!live.process.uid_map) {
    answers.unknown("its map of ids is not readable for this caller");
    return;
  }
  answers.checked();
  for (const IdRange& range : *live.process.uid_map) {
    if (range.outside != 0 || range.count == 0) continue;
    answers.found(is_host_root(live) ? Severity::High : Severity::Medium, "uid_map",
                  "uid " + num(range.inside) + " inside is uid 0 outside");
  }
}

struct PowerGroup {
  const char* name;
  Severity severity;
  const char* gives;
};
constexpr PowerGroup kPowerGroups[] = {
    {"root", Severity::Medium, "files of the group root"},
    {"disk", Severity::High, "the disks themselves"},
    {"docker", Severity::High, "the container engine, which runs anything as root"},
    {"lxd", Severity::High, "the container engine, which runs anything as root"},
    {"incus-admin", Severity::High, "the container engine, which runs anything as root"},
    {"libvirt", Severity::High, "virtual machines with disks of the host"},
    {"shadow", Severity::High, "the hashes of all passwords"},
    {"sudo", Severity::High, "sudo"},
    {"wheel", Severity::High, "sudo and su"},
    {"kmem", Severity::High, "the memory of the kernel"},
    {"adm", Severity::Medium, "the logs"},
    {"systemd-journal", Severity::Medium, "the logs"},
    {"kvm", Severity::Medium, "/dev/kvm"},
    {"input", Severity::Medium, "what is typed"},
    {"video", Severity::Medium, "the screen"},
    {"tty", Severity::Medium, "terminals of others"},
    {"dialout", Severity::Low, "serial ports"},
    {"audio", Severity::Low, "the microphone"},
    {"netdev", Severity::Low, "network settings"},
    {"staff", Severity::Low, "/usr/local"},
};

void groups(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  answers.checked();
  // Root has all of that anyway, and there is a rule for it.
  if (is_host_root(live) && !has_own_users(live)) return;
  for (const auto& [gid, name] : live.groups)
    for (const PowerGroup& group : kPowerGroups)
      if (name == group.name)
        answers.found(group.severity, "group " + name,
                      "supplementary group " + num(gid) + " gives " + group.gives, {}, name);
}

void no_new_privs(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  bool unmapped = has_own_users(live) && !maps_host_root(live);
  for (const ThreadView& thread : live.threads) {
    if (thread.no_new_privs < 0) answers.unknown("this kernel does not show no_new_privs");
    if (thread.no_new_privs == 1) answers.checked();
    if (thread.no_new_privs != 0) continue;
    answers.found(unmapped ? Severity::Low : Severity::Medium, "no_new_privs" + of_thread(thread, live),
                  "not set: an exec may give more privileges");
    return;
  }
}

void set_id(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (!may_gain(live)) return;
  if (!live.set_id) {
    answers.unknown(live.reach_note.empty() ? "programs inside were not looked at" : live.reach_note);
    return;
  }
  answers.checked();
  // A set-id bit gives an id only where that id is mapped.
  if ((has_own_users(live) && !maps_host_root(live)) || live.set_id->empty()) return;
  if (is_host_root(live) && !has_own_users(live)) return;
  answers.found(live.set_id->front(), "can be executed without no_new_privs: " + some_of(*live.set_id));
}

void securebits(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  bool matters = may_gain(live) && any_thread(live, &ThreadView::bounding) != 0;
  if (!matters) return;
  if (live.process.securebits < 0) {
    answers.unknown("the kernel shows them to the process alone");
    return;
  }
  answers.checked();
  if ((live.process.securebits & (1 << SECURE_NOROOT)) == 0 && is_host_root(live))
    answers.found("securebits", "SECBIT_NOROOT is not set: root gets capabilities by every exec");
}

void keyring(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  if (whose(live, "user") == Whose::Unknown || live.threads.empty()) {
    answers.unknown("its user namespace is not readable for this caller");
    return;
  }
  answers.checked();
  if (has_own_users(live)) return;
  constexpr Call kGet = {"keyctl", {0, static_cast<uint64_t>(-4), 0}};  // KEYCTL_GET_KEYRING_ID, the user's
  for (const ThreadView& thread : live.threads) {
    const FilterStack& filter = live.filters[thread.filter];
    if (thread.seccomp == 2 && !filter.unknown.empty()) {
      answers.unknown("its filter could not be read: " + filter.unknown);
      return;
    }
    if (thread.seccomp != 1 && lets_through(filter, filter::Arch::X86_64, kGet).value_or(true)) {
      answers.found("keyring of uid " + num(thread.uid[0]) + of_thread(thread, live),
                    "the user namespace is the host's, and keyctl is let through");
      return;
    }
  }
}

// Number 1 of a pid namespace is the launcher's; who is inside has its number.
void init_dumpable(const Facts& facts, Answers& answers) {
  const Live& live = *facts.live;
  std::string_view numbers = live.process.status.ns_pid;
  bool first = !numbers.empty() && numbers.substr(numbers.find_last_of("\t ") + 1) == "1";
  if (!first || shares(live, "pid")) return;
  answers.checked();
  bool launchers = false;
  for (const FdView& place : live.process.places)
    launchers |= place.number == -3 && place.where == Where::Outside;
  if (launchers && live.process.dumpable)
    answers.found("process 1 of the jail", "dumpable, and its program is the launcher of the outside");
}

}  // namespace

const Rule kProcessRootOutside = {
    "process-root-outside",
    Look::Process,
    Severity::Critical,
    Concern::Privilege,
    Point::Privileges,
    "root of the host is inside",
    "Uid 0 of the first user namespace owns the files of the host, the settings of the kernel and the processes "
    "of root. What it sees of them is all that holds it; no other wall asks who it is.",
    "",
    "run it as a user of its own, or in a user namespace: immure run, setpriv --reuid, User= of systemd",
    "user_namespaces(7); credentials(7)",
    root_outside,
    Mend::None,
    "root privilege kernel processes devices descriptors links information network resources filter"};
const Rule kProcessRootMapped = {
    "process-root-mapped",
    Look::Process,
    Severity::High,
    Concern::Privilege,
    Point::Privileges,
    "root of the host is mapped inside",
    "Its own user namespace takes the capabilities away, but what asks for the owner alone still sees root: "
    "settings in /proc/sys, device nodes, files of mode 0600. Every door that asks for the owner only is open to it.",
    "",
    "map an unprivileged range of ids: newuidmap, or immure run",
    "user_namespaces(7)",
    root_mapped,
    Mend::None,
    "root privilege kernel devices links information descriptors processes resources"};
const Rule kProcessGroups = {
    "process-groups",
    Look::Process,
    Severity::Medium,
    Concern::Privilege,
    Point::Privileges,
    "a supplementary group that gives powers",
    "Groups of who started it are kept by setuid alone. Each gives what its members may, outside too, where "
    "a socket or a device of it is within reach.",
    "",
    "setpriv --clear-groups, or setgroups(0) before setuid",
    "setgroups(2); credentials(7)",
    groups,
    Mend::None,
    "privilege devices"};
const Rule kProcessNoNewPrivs = {
    "process-no-new-privs",
    Look::Process,
    Severity::Medium,
    Concern::Privilege,
    Point::Privileges,
    "no_new_privs is not set",
    "A set-id program or one with file capabilities gives its rights to who executes it. With no_new_privs an "
    "exec never gives more than there was.",
    "",
    "setpriv --no-new-privs, NoNewPrivileges=yes of systemd, or prctl(PR_SET_NO_NEW_PRIVS)",
    "PR_SET_NO_NEW_PRIVS(2const)",
    no_new_privs,
    Mend::None,
    "privilege"};
const Rule kProcessSetId = {
    "process-set-id",
    Look::Process,
    Severity::High,
    Concern::Privilege,
    Point::Privileges,
    "set-id programs can be used",
    "It can execute programs that run as root, on a mount that honours their bit. One mistake in one of them "
    "and it is root itself.",
    "",
    "set no_new_privs, mount with nosuid, or take the bits away",
    "execve(2); mount(8)",
    set_id,
    Mend::None,
    "privilege"};
const Rule kProcessSecurebits = {
    "process-securebits",
    Look::Process,
    Severity::Low,
    Concern::Privilege,
    Point::Privileges,
    "securebits let root regain capabilities",
    "Without SECBIT_NOROOT an exec as uid 0 fills the permitted set from the bounding set. Dropped "
    "capabilities then come back.",
    "",
    "capsh --secbits=0x2f, or empty the bounding set",
    "capabilities(7)",
    securebits,
    Mend::None,
    "privilege"};
const Rule kProcessKeyring = {
    "process-keyring",
    Look::Process,
    Severity::Medium,
    Concern::Privilege,
    Point::Secrets,
    "keys of the user are within reach",
    "Keyrings belong to a uid of a user namespace, not to a jail. It finds there what others of that uid keep: "
    "Kerberos tickets, keys of encrypted folders.",
    "",
    "a user namespace of its own, or a filter without keyctl, add_key and request_key",
    "keyrings(7)",
    keyring,
    Mend::None,
    "privilege kernel"};
const Rule kProcessInitDumpable = {
    "process-init-dumpable",
    Look::Process,
    Severity::Medium,
    Concern::Privilege,
    Point::Leaks,
    "the process 1 of the launcher can be looked into",
    "Programs of the same user inside read its memory, its environment and its program by /proc/1. It was "
    "started outside, and may hold what they should not have.",
    "",
    "prctl(PR_SET_DUMPABLE, 0) in the process 1 of the jail",
    "PR_SET_DUMPABLE(2const)",
    init_dumpable,
    Mend::None,
    "processes descriptors information"};

}  // namespace immure::audit
