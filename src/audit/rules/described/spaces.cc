#include "audit/rules/described/rules.h"

namespace immure::audit {
namespace {

void check_root(const Facts& facts, Answers& answers) {
  const Described& jail = *facts.described;
  // vsftpd has a rule of its own, for those who log in.
  if (jail.root.word == Word::Silent || jail.kind == "vsftpd") return;
  if (!jail.root.known()) return answers.unknown(jail.root.origin);
  answers.checked();
  if (jail.root.value != WhoseRoot::Host) return;
  // A server's configuration locks somebody in, or says nothing of a jail at all; a service has a sandbox
  // without a root.
  const Severity severity = jail.kind == "sshd"   ? Severity::Advice
                            : jail.kind == "unit" ? Severity::Low
                                                  : Severity::High;
  answers.found(severity, "the root", with("is the host's", jail.root.origin));
}

void check_space(const Facts& facts, Answers& answers, Space which) {
  const Value<Share>& space = facts.described->space(which);
  if (space.word == Word::Silent) return;
  if (!space.known()) return answers.unknown(space.origin);
  answers.checked();
  if (space.value != Share::Host) return;
  const std::string where = std::string(name(which)) + " namespace",
                    evidence = with("is the host's", space.origin);
  // Most services speak to others on the host; few are jails.
  if (facts.described->kind == "unit" && (which == Space::Net || which == Space::Pid))
    // No release of systemd before 257 can give processes a namespace of their own.
    answers.found(which == Space::Pid && space.word == Word::Default ? Severity::Advice : Severity::Low,
                  where, evidence);
  else
    answers.found(where, evidence);
}

template <Space Which>
void check_one(const Facts& facts, Answers& answers) {
  check_space(facts, answers, Which);
}

// A user namespace matters where somebody is root outside; without it an ordinary user is an ordinary user.
void check_users(const Facts& facts, Answers& answers) {
  const Described& jail = *facts.described;
  const Value<Share>& space = jail.space(Space::User);
  if (space.word == Word::Silent) return;
  if (!space.known()) return answers.unknown(space.origin);
  answers.checked();
  if (space.value != Share::Host) return;
  const bool root = jail.root_outside.is(true);
  answers.found(root ? Severity::Medium : Severity::Advice, "user namespace",
                with("is the host's", space.origin));
}

void check_joined(const Facts& facts, Answers& answers) {
  const Described& jail = *facts.described;
  answers.checked();
  for (size_t i = 0; i < kSpaceCount; ++i) {
    if (!jail.spaces[i].is(Share::Joined)) continue;
    // The first process's is the host's own; a process of the host has it too.
    const bool process = jail.joined[i].starts_with("/proc/");
    answers.found(process ? Severity::High : Severity::Advice,
                  std::string(name(static_cast<Space>(i))) + " namespace",
                  with(jail.joined[i], jail.spaces[i].origin), {}, jail.joined[i]);
  }
}

void check_propagation(const Facts& facts, Answers& answers) {
  check_value(facts.described->propagation, true, "mounts", "are shared with the host", answers);
}

}  // namespace

const Rule kDescribedRoot = {
    "described-root",
    Look::Described,
    Severity::High,
    Concern::Isolation,
    Point::RootChange,
    "the root is not changed",
    "The program sees every file of the host, and only their modes keep it from them. What is not there cannot be read, "
    "and a set-id program that is not there cannot be used.",
    "",
    "unit: RootDirectory= or RootImage=; OCI: root.path and a mount namespace; sshd: ChrootDirectory",
    "chroot(2); pivot_root(2)",
    check_root,
    Mend::None,
    "root links"};
const Rule kDescribedMount = {
    "described-mount-shared",
    Look::Described,
    Severity::Medium,
    Concern::Isolation,
    Point::Namespaces,
    "the mounts are the host's",
    "What is mounted outside appears inside, and with the right to mount, the other way round. A root that was changed "
    "in the host's own mount namespace is only a chroot.",
    "",
    "unit: PrivateMounts=yes; OCI: a mount namespace in linux.namespaces",
    "mount_namespaces(7)",
    check_one<Space::Mount>,
    Mend::None,
    "namespace-mnt mount-shared"};
const Rule kDescribedUsers = {
    "described-user-shared",
    Look::Described,
    Severity::Medium,
    Concern::Privilege,
    Point::Namespaces,
    "the user ids are the host's",
    "Root inside is root outside the moment one wall falls, and so is every file it made. With ids of its own it is "
    "nobody in particular outside.",
    "",
    "unit: PrivateUsers=yes; OCI: a user namespace in linux.namespaces, with maps; bwrap: --unshare-user",
    "user_namespaces(7)",
    check_users,
    Mend::None,
    "namespace-user root-outside root-mapped"};
const Rule kDescribedProcesses = {
    "described-pid-shared",
    Look::Described,
    Severity::Medium,
    Concern::Isolation,
    Point::Namespaces,
    "all processes of the host are seen",
    "The program may signal and trace what has its user id, and reads of the others what /proc shows. Nothing ends its "
    "own processes when the first one ends.",
    "",
    "unit: ProtectProc=invisible, and from systemd 257 on PrivatePIDs=yes; OCI: a pid namespace in "
    "linux.namespaces; bwrap: --unshare-pid",
    "pid_namespaces(7)",
    check_one<Space::Pid>,
    Mend::None,
    "processes namespace-pid"};
const Rule kDescribedNetwork = {
    "described-net-shared",
    Look::Described,
    Severity::Medium,
    Concern::Isolation,
    Point::Namespaces,
    "the network is the host's",
    "Everything that listens on the host's own addresses is within reach, and abstract sockets too, the session bus among "
    "them. Many services trust whoever comes from 127.0.0.1.",
    "",
    "unit: PrivateNetwork=yes where no network is needed; OCI: a network namespace in linux.namespaces; "
    "bwrap: --unshare-net; profile: another word than host for net",
    "network_namespaces(7)",
    check_one<Space::Net>,
    Mend::None,
    "tcp-loopback tcp-any-address tcp-fast-open tcp-multipath tcp6-loopback tcp-mapped-address "
    "udp-loopback udp-connected abstract-stream abstract-datagram abstract-descriptor netlink-links "
    "netlink-addresses netlink-neighbours netlink-routes netlink-set-link netlink-delete-address "
    "netlink-delete-route proc-net-tcp proc-net-tcp6 proc-net-udp proc-net-unix proc-net-dev "
    "proc-net-route proc-net-arp sys-class-net interface-address interface-driver bind-to-interface "
    "route-out metadata-address route6-out privileged-port interface-flags route-ioctl ip-tables "
    "ip6-tables nf-tables family-packet raw-ipv4 raw-ipv6 raw-icmp ping-socket netlink-netfilter "
    "netlink-uevent netlink-xfrm netlink-sock-diag namespace-net"};
const Rule kDescribedIpc = {
    "described-ipc-shared",
    Look::Described,
    Severity::Low,
    Concern::Isolation,
    Point::Namespaces,
    "System V IPC is the host's",
    "Shared memory, semaphores and queues of every program of the same user are within reach, and what is open to all. "
    "Databases keep their data in it.",
    "",
    "unit: PrivateIPC=yes; OCI: an ipc namespace in linux.namespaces; bwrap: --unshare-ipc",
    "ipc_namespaces(7)",
    check_one<Space::Ipc>,
    Mend::None,
    "sysv-memory sysv-memory-list sysv-semaphore sysv-message sysv-proc-shm sysv-proc-sem sysv-proc-msg posix-queue "
    "namespace-ipc"};
const Rule kDescribedNames = {
    "described-uts-shared",
    Look::Described,
    Severity::Advice,
    Concern::Isolation,
    Point::Namespaces,
    "the host's name is shown",
    "The program knows on which machine it is, and with CAP_SYS_ADMIN it changes the name for all. Mails and logs then "
    "lie about where they came from.",
    "",
    "unit: ProtectHostname=yes; OCI: a uts namespace in linux.namespaces; bwrap: --unshare-uts",
    "uts_namespaces(7)",
    check_one<Space::Uts>,
    Mend::None,
    "host-name namespace-uts"};
const Rule kDescribedGroups = {
    "described-cgroup-shared",
    Look::Described,
    Severity::Advice,
    Concern::Isolation,
    Point::Namespaces,
    "the control groups of the host are shown",
    "The program sees the names of all groups, and with them what else runs here. Where it may write to them it changes "
    "its own limits.",
    "",
    "unit: from systemd 257 on ProtectControlGroups=private; OCI: a cgroup namespace in "
    "linux.namespaces; bwrap: --unshare-cgroup",
    "cgroup_namespaces(7)",
    check_one<Space::Cgroup>,
    Mend::None,
    "cgroup-path namespace-cgroup"};
const Rule kDescribedJoined = {
    "described-joined",
    Look::Described,
    Severity::High,
    Concern::Isolation,
    Point::Namespaces,
    "a namespace of another process is joined",
    "Whatever that process has is shared with the jail. When it is a process of the host, it is the host's namespace by "
    "another name.",
    "",
    "let the jail have a namespace of its own, or join one that was made for it",
    "setns(2)",
    check_joined,
    Mend::None,
    "enter-first-mounts enter-first-network"};
const Rule kDescribedPropagation = {
    "described-propagation",
    Look::Described,
    Severity::High,
    Concern::Isolation,
    Point::RootChange,
    "mounts spread to the host",
    "A mount that is made inside appears outside, where programs of root follow it. With the right to mount that is a "
    "way to the host.",
    "",
    "unit: leave MountFlags=shared out; OCI: rprivate or rslave in place of shared, in "
    "linux.rootfsPropagation and the options of mounts",
    "mount_namespaces(7), SHARED SUBTREES",
    check_propagation,
    Mend::None,
    "mount-shared"};

}  // namespace immure::audit
