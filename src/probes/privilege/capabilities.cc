// What the program can do without a trick: the capabilities that it has, and those that it could get.
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "probes/inside.h"

namespace immure::probes {
namespace {

struct Sets {
  uint64_t effective, permitted, inheritable;
};

bool get_sets(Sets& sets) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  sets.effective = data[0].effective | static_cast<uint64_t>(data[1].effective) << 32;
  sets.permitted = data[0].permitted | static_cast<uint64_t>(data[1].permitted) << 32;
  sets.inheritable = data[0].inheritable | static_cast<uint64_t>(data[1].inheritable) << 32;
  return true;
}

// A map of all ids is the host's own, or one as wide.
const char* whose() {
  char map[256];
  if (read_text("/proc/self/uid_map", map, sizeof map) <= 0) return "";
  unsigned long long inside = 0, outside = 0, many = 0;
  if (std::sscanf(map, "%llu %llu %llu", &inside, &outside, &many) != 3) return "";
  return many == 4294967295ULL && outside == 0 ? "" : ", in a user namespace of its own";
}

Attempt has(const Yard&, const Probe& row) {
  Sets sets{};
  if (!get_sets(sets)) return stopped("capget");
  const uint64_t bit = uint64_t{1} << row.number;
  if ((sets.effective & bit) != 0) return exposed("%s is in force%s", row.word, whose());
  if ((sets.permitted & bit) != 0) return exposed("%s can be put in force%s", row.word, whose());
  return stopped("capget", EPERM);
}

Attempt bounding(const Yard&, const Probe&) {
  int many = 0;
  for (int i = 0; i < 64; ++i) many += prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1;
  return many > 0 ? exposed("the bounding set has %d capabilities%s", many, whose())
                  : stopped("prctl", EPERM);
}

Attempt inheritable(const Yard&, const Probe&) {
  Sets sets{};
  if (!get_sets(sets)) return stopped("capget");
  if (sets.inheritable == 0) return stopped("capget", EPERM);
  return exposed("inheritable: %llx%s", static_cast<unsigned long long>(sets.inheritable), whose());
}

Attempt ambient(const Yard&, const Probe&) {
  int many = 0;
  for (int i = 0; i < 64; ++i) many += prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1;
  return many > 0 ? exposed("%d capabilities stay in programs that are started%s", many, whose())
                  : stopped("prctl", EPERM);
}

// Whatever the bounding set offers, from the permitted set into all others.
Attempt raise_ambient(const Yard&, const Probe&) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return stopped("capget");
  for (auto& half : data) half.inheritable = half.permitted;
  if (syscall(SYS_capset, &header, data) != 0) return stopped("capset");
  for (int i = 0; i < 64; ++i)
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) == 0)
      return exposed("capability %d was raised so that every program keeps it%s", i, whose());
  return stopped("prctl", EPERM);
}

Attempt raise_permitted(const Yard&, const Probe&) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  Sets before{};
  if (!get_sets(before)) return stopped("capget");
  for (auto& half : data)
    half.effective = half.permitted = half.inheritable = static_cast<uint32_t>(before.permitted);
  data[1].effective = data[1].permitted = data[1].inheritable = static_cast<uint32_t>(before.permitted >> 32);
  if (before.permitted == 0)
    data[0].inheritable = ~0U;  // bounded by the bounding set alone, with CAP_SETPCAP
  if (syscall(SYS_capset, &header, data) != 0) return stopped("capset");
  return exposed("every set was filled from %llx%s", static_cast<unsigned long long>(before.permitted),
                 whose());
}

constexpr Probe row(const char* id, const char* technique, const char* about, const char* word, long number,
                    Control control) {
  return {id,
          Category::Privilege,
          technique,
          about,
          "capabilities(7)",
          by(Layer::Capabilities),
          Proof::None,
          control,
          has,
          kPlain,
          word,
          number};
}

constexpr Probe kCapabilities[] = {
    row("cap-sys-admin", "CAP_SYS_ADMIN: mounts and everything else",
        "Looks for CAP_SYS_ADMIN. It mounts, enters namespaces, and is asked for by more parts of the kernel "
        "than any other; with it on the host a jail is none.",
        "CAP_SYS_ADMIN", CAP_SYS_ADMIN, loosened("--cap-add sys_admin")),
    row("cap-sys-module", "CAP_SYS_MODULE: own code in the kernel",
        "Looks for CAP_SYS_MODULE. On the host it loads kernel modules: there is no jail that a module "
        "cannot end.",
        "CAP_SYS_MODULE", CAP_SYS_MODULE, loosened("--cap-add sys_module")),
    row("cap-sys-rawio", "CAP_SYS_RAWIO: ports and memory",
        "Looks for CAP_SYS_RAWIO. On the host it opens I/O ports, physical memory, and sends commands to "
        "disks.",
        "CAP_SYS_RAWIO", CAP_SYS_RAWIO, loosened("--cap-add sys_rawio")),
    row("cap-sys-ptrace", "CAP_SYS_PTRACE: into other processes",
        "Looks for CAP_SYS_PTRACE. It reads and changes processes of others, which is their root, their "
        "secrets and their rights.",
        "CAP_SYS_PTRACE", CAP_SYS_PTRACE, loosened("--cap-add sys_ptrace")),
    row("cap-dac-override", "CAP_DAC_OVERRIDE: past the modes of files",
        "Looks for CAP_DAC_OVERRIDE. Modes and owners of the files in reach no longer count, for writing "
        "either.",
        "CAP_DAC_OVERRIDE", CAP_DAC_OVERRIDE, loosened("--cap-add dac_override")),
    row("cap-dac-read-search", "CAP_DAC_READ_SEARCH: files by handle",
        "Looks for CAP_DAC_READ_SEARCH. On the host it opens any file of a file system by its handle, "
        "without a path: that is how the first published way out of Docker, shocker, read /etc/shadow in "
        "2014.",
        "CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH, loosened("--cap-add dac_read_search")),
    row("cap-net-admin", "CAP_NET_ADMIN: the network and its filters",
        "Looks for CAP_NET_ADMIN. It opens nf_tables, traffic control and routing, where many privilege "
        "escalations of recent years began, such as CVE-2022-32250.",
        "CAP_NET_ADMIN", CAP_NET_ADMIN, loosened("--cap-add net_admin")),
    row("cap-net-raw", "CAP_NET_RAW: raw and packet sockets",
        "Looks for CAP_NET_RAW. It forges packets and listens to those of others; packet sockets had "
        "CVE-2020-14386.",
        "CAP_NET_RAW", CAP_NET_RAW, loosened("--cap-add net_raw")),
    row("cap-net-bind-service", "CAP_NET_BIND_SERVICE: ports of services",
        "Looks for CAP_NET_BIND_SERVICE. On a network that is the host's a program could pose as one of its "
        "services.",
        "CAP_NET_BIND_SERVICE", CAP_NET_BIND_SERVICE, loosened("--cap-add net_bind_service")),
    row("cap-mknod", "CAP_MKNOD: devices by number",
        "Looks for CAP_MKNOD. On the host it makes a node for every device, the disk below the root first of "
        "all.",
        "CAP_MKNOD", CAP_MKNOD, loosened("--cap-add mknod")),
    row("cap-setuid", "CAP_SETUID: any user",
        "Looks for CAP_SETUID. The program becomes any user that its namespace knows, and is counted as that "
        "one.",
        "CAP_SETUID", CAP_SETUID, loosened("--cap-add setuid")),
    row("cap-setgid", "CAP_SETGID: any group",
        "Looks for CAP_SETGID. The program takes any group, disk and shadow too where they are mapped, and "
        "drops groups that were meant to deny it something.",
        "CAP_SETGID", CAP_SETGID, loosened("--cap-add setgid")),
    row("cap-setfcap", "CAP_SETFCAP: capabilities for files",
        "Looks for CAP_SETFCAP. The program gives files capabilities, and maps user 0 into namespaces that "
        "it makes.",
        "CAP_SETFCAP", CAP_SETFCAP, loosened("--cap-add setfcap")),
    row("cap-setpcap", "CAP_SETPCAP: the sets themselves",
        "Looks for CAP_SETPCAP. It fills the inheritable set from the bounding set and changes the "
        "securebits, which say what user 0 may do.",
        "CAP_SETPCAP", CAP_SETPCAP, loosened("--cap-add setpcap")),
    row("cap-sys-chroot", "CAP_SYS_CHROOT: another root",
        "Looks for CAP_SYS_CHROOT. With it a second chroot leads out of a first; it also is half of what "
        "entering a mount namespace takes.",
        "CAP_SYS_CHROOT", CAP_SYS_CHROOT, loosened("--cap-add sys_chroot")),
    row("cap-sys-boot", "CAP_SYS_BOOT: restart and kexec",
        "Looks for CAP_SYS_BOOT. On the host it restarts the machine, or starts a kernel of the program's "
        "own.",
        "CAP_SYS_BOOT", CAP_SYS_BOOT, loosened("--cap-add sys_boot")),
    row("cap-sys-time", "CAP_SYS_TIME: the clock",
        "Looks for CAP_SYS_TIME. On the host it sets the clock of everybody: certificates expire, or are "
        "valid again.",
        "CAP_SYS_TIME", CAP_SYS_TIME, loosened("--cap-add sys_time")),
    row("cap-sys-resource", "CAP_SYS_RESOURCE: past limits",
        "Looks for CAP_SYS_RESOURCE. Limits of resources, quotas and reserved disk space no longer hold the "
        "program.",
        "CAP_SYS_RESOURCE", CAP_SYS_RESOURCE, loosened("--cap-add sys_resource")),
    row("cap-sys-nice", "CAP_SYS_NICE: ahead of everybody",
        "Looks for CAP_SYS_NICE. On the host it takes real-time priority, and the processors from all "
        "others.",
        "CAP_SYS_NICE", CAP_SYS_NICE, loosened("--cap-add sys_nice")),
    row("cap-sys-tty-config", "CAP_SYS_TTY_CONFIG: consoles",
        "Looks for CAP_SYS_TTY_CONFIG. On the host it hangs terminals up and remaps the keys of consoles.",
        "CAP_SYS_TTY_CONFIG", CAP_SYS_TTY_CONFIG, loosened("--cap-add sys_tty_config")),
    row("cap-kill", "CAP_KILL: signals to everybody",
        "Looks for CAP_KILL. Every process that the program can name gets its signals, of whatever user it "
        "is.",
        "CAP_KILL", CAP_KILL, loosened("--cap-add kill")),
    row("cap-chown", "CAP_CHOWN: owners of files",
        "Looks for CAP_CHOWN. The program takes files that it sees for itself, or hands others what it made.",
        "CAP_CHOWN", CAP_CHOWN, loosened("--cap-add chown")),
    row("cap-fowner", "CAP_FOWNER: modes of others' files",
        "Looks for CAP_FOWNER. The program changes modes, labels and flags of files as if it owned them.",
        "CAP_FOWNER", CAP_FOWNER, loosened("--cap-add fowner")),
    row("cap-fsetid", "CAP_FSETID: set-id bits that stay",
        "Looks for CAP_FSETID. Set-uid and set-gid bits survive writing, so that a program can be rewritten "
        "and still be of its owner.",
        "CAP_FSETID", CAP_FSETID, loosened("--cap-add fsetid")),
    row("cap-bpf", "CAP_BPF: programs in the kernel",
        "Looks for CAP_BPF. On the host it loads BPF programs, whose verifier was wrong time and again, as "
        "in CVE-2021-3490 and CVE-2022-23222.",
        "CAP_BPF", CAP_BPF, loosened("--cap-add bpf")),
    row("cap-perfmon", "CAP_PERFMON: what the machine does",
        "Looks for CAP_PERFMON. On the host it measures every process and the kernel, and reads keys from "
        "timing.",
        "CAP_PERFMON", CAP_PERFMON, loosened("--cap-add perfmon")),
    row("cap-syslog", "CAP_SYSLOG: the kernel log and addresses",
        "Looks for CAP_SYSLOG. On the host it reads and clears the kernel log, and sees where the kernel "
        "lies in memory.",
        "CAP_SYSLOG", CAP_SYSLOG, loosened("--cap-add syslog")),
    row("cap-mac-admin", "CAP_MAC_ADMIN: rules of security modules",
        "Looks for CAP_MAC_ADMIN. It changes the policy of Smack and AppArmor, by which other walls are "
        "built.",
        "CAP_MAC_ADMIN", CAP_MAC_ADMIN, loosened("--cap-add mac_admin")),
    row("cap-mac-override", "CAP_MAC_OVERRIDE: past security modules",
        "Looks for CAP_MAC_OVERRIDE. A security module that knows it lets the program pass.",
        "CAP_MAC_OVERRIDE", CAP_MAC_OVERRIDE, loosened("--cap-add mac_override")),
    row("cap-audit-control", "CAP_AUDIT_CONTROL: the audit rules",
        "Looks for CAP_AUDIT_CONTROL. On the host it switches audit rules off, so that nothing is written of "
        "what comes next.",
        "CAP_AUDIT_CONTROL", CAP_AUDIT_CONTROL, loosened("--cap-add audit_control")),
    row("cap-audit-write", "CAP_AUDIT_WRITE: lines in the audit log",
        "Looks for CAP_AUDIT_WRITE. On the host it writes records into the audit log that name whom it "
        "likes.",
        "CAP_AUDIT_WRITE", CAP_AUDIT_WRITE, loosened("--cap-add audit_write")),
    row("cap-checkpoint-restore", "CAP_CHECKPOINT_RESTORE: process ids and maps",
        "Looks for CAP_CHECKPOINT_RESTORE. It chooses process ids, and opens the mapped files and memory "
        "layout of processes. In the kernel since 5.9.",
        "CAP_CHECKPOINT_RESTORE", CAP_CHECKPOINT_RESTORE, loosened("--cap-add checkpoint_restore")),
    row("cap-block-suspend", "CAP_BLOCK_SUSPEND: a machine that stays awake",
        "Looks for CAP_BLOCK_SUSPEND. On the host it keeps the machine from sleeping for as long as it "
        "likes.",
        "CAP_BLOCK_SUSPEND", CAP_BLOCK_SUSPEND, loosened("--cap-add block_suspend")),
    row("cap-ipc-owner", "CAP_IPC_OWNER: others' shared memory",
        "Looks for CAP_IPC_OWNER. System V memory, queues and semaphores in its namespace are open, whatever "
        "their modes.",
        "CAP_IPC_OWNER", CAP_IPC_OWNER, loosened("--cap-add ipc_owner")),
};

constexpr Probe kSets[] = {
    {"cap-bounding-set", Category::Privilege, "what a started program could be given",
     "Reads the bounding set, the ceiling of what any program that is started can get. As long as it is not "
     "empty, a set-uid program or a new user id brings capabilities back.",
     "PR_CAPBSET_READ(2const)", by(Layer::Capabilities), Proof::None, loosened("--cap-add chown"), bounding},
    {"cap-inheritable-set", Category::Privilege, "what passes through a started program",
     "Reads the inheritable set, which programs with matching file capabilities take up. Docker and others "
     "started containers with it filled until 2022.",
     "CVE-2022-24769", by(Layer::Capabilities), Proof::None, loosened("--cap-add chown"), inheritable},
    {"cap-ambient-set", Category::Privilege, "what every started program keeps",
     "Reads the ambient set. Its capabilities pass to every ordinary program that is started, without a mark "
     "on its file.",
     "PR_CAP_AMBIENT(2const)", by(Layer::Capabilities), Proof::None, loosened("--cap-add chown"), ambient},
    {"cap-ambient-raise", Category::Privilege, "raises capabilities so that they stay",
     "Copies the permitted set into the inheritable and the ambient set. What one process has by accident, "
     "all that it starts have then.",
     "PR_CAP_AMBIENT(2const)", by(Layer::Capabilities, Layer::Securebits), Proof::None, kNamespaced,
     raise_ambient},
    {"cap-set", Category::Privilege, "fills the sets by capset",
     "Fills all sets with what is permitted, or if that is nothing asks for the inheritable set to be full. "
     "It succeeds where some set was left for it.",
     "capset(2)", by(Layer::Capabilities), Proof::None, loosened("--cap-add chown"), raise_permitted},
};

}  // namespace

std::span<const Probe> capabilities() { return kCapabilities; }
std::span<const Probe> capability_sets() { return kSets; }

}  // namespace immure::probes
