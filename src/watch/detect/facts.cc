// What tells of the host: each a remark by itself.
#include "watch/detect/table.h"

namespace immure::watch {
namespace {

constexpr Severity kNotice = Severity::Notice;
constexpr Use kRead = Use::Read, kAny = Use::Any;

constexpr Step kFactSteps[] = {
    calls("uptime-sysinfo", kNotice, "sysinfo", "asks how long the host is up"),
    calls("uptime-boot-clock", kNotice, "clock_gettime clock_gettime64", "asks the clock of the host's start",
          [](const Event& e) { return e.args[0] == 7; }),
    calls("uptime-monotonic", kNotice, "clock_gettime clock_gettime64", "asks the monotonic clock",
          [](const Event& e) { return e.args[0] == 1; }),
    calls("uptime-raw", kNotice, "clock_gettime clock_gettime64", "asks the raw clock",
          [](const Event& e) { return e.args[0] == 4; }),
    calls("host-name", kNotice, "uname olduname oldolduname", "asks for the host's name"),
    file("uptime-file", kNotice, kRead, "/proc/uptime", "reads how long the host is up"),
    file("uptime-stat", kNotice, kRead, "/proc/stat", "reads what the processors did"),
    file("uptime-schedstat", kNotice, kRead, "/proc/schedstat", "reads what the scheduler did"),
    file("host-name-sysctl", kNotice, kRead, "/proc/sys/kernel/hostname", "reads the host's name"),
    file("host-name-file", kNotice, kRead, "/etc/hostname", "reads the host's name"),
    file("host-name-hosts", kNotice, kRead, "/etc/hosts", "reads the table of hosts"),
    file("boot-id", kNotice, kRead, "/proc/sys/kernel/random/boot_id", "reads the id of the host's start"),
    file("machine-id", kNotice, kRead, "/etc/machine-id", "reads the machine's id"),
    file("machine-id-bus", kNotice, kRead, "/var/lib/dbus/machine-id", "reads the machine's id"),
    file("accounts", kNotice, kRead, "/etc/passwd", "reads the accounts"),
    file("groups", kNotice, kRead, "/etc/group", "reads the groups"),
    file("file-systems", kNotice, kRead, "/etc/fstab", "reads the table of disks"),
    file("resolver", kNotice, kRead, "/etc/resolv.conf", "reads the name servers"),
    file("homes", kNotice, kRead, "/home", "lists the homes"),
    file("namespace-user", kNotice, kAny, "/proc/self/ns/user", "asks which user namespace it is in"),
    file("namespace-mnt", kNotice, kAny, "/proc/self/ns/mnt", "asks which mount namespace it is in"),
    file("namespace-pid", kNotice, kAny, "/proc/self/ns/pid", "asks which pid namespace it is in"),
    file("namespace-net", kNotice, kAny, "/proc/self/ns/net", "asks which network it is in"),
    file("namespace-ipc", kNotice, kAny, "/proc/self/ns/ipc", "asks which IPC namespace it is in"),
    file("namespace-uts", kNotice, kAny, "/proc/self/ns/uts", "asks which namespace of names it is in"),
    file("namespace-cgroup", kNotice, kAny, "/proc/self/ns/cgroup",
         "asks which namespace of control groups it is in"),
    file("namespace-time", kNotice, kAny, "/proc/self/ns/time", "asks which namespace of clocks it is in"),
    file("proc-cmdline", kNotice, kRead, "/proc/cmdline", "reads the kernel's command line"),
    file("proc-interrupts", kNotice, kRead, "/proc/interrupts /proc/softirqs", "reads the interrupts"),
    file("proc-diskstats", kNotice, kRead, "/proc/diskstats", "reads the work of the disks"),
    file("proc-partitions", kNotice, kRead, "/proc/partitions", "reads the disks and their parts"),
    file("proc-zoneinfo", kNotice, kRead, "/proc/zoneinfo /proc/buddyinfo", "reads the zones of memory"),
    file("proc-pressure", kNotice, kAny, "/proc/pressure/*", "opens alarms on the machine's pressure"),
    file("mount-paths", kNotice, kRead,
         "/proc/self/mountinfo /proc/self/mounts /proc/mounts /proc/#/mountinfo",
         "reads the table of mounts"),
    file("release-agent-own", kNotice, kRead, "/proc/cgroups", "reads which control groups there are"),
    file("cgroup-path", kNotice, kRead, "/proc/self/cgroup", "reads which control group it is in"),
    file("root-device", kNotice, kAny, "/", "looks what its root is",
         [](const Event& e) { return e.action == Action::Look; }),
    file("scratch-device", kNotice, kAny, "/tmp", "looks what the folder for temporary files is",
         [](const Event& e) { return e.action == Action::Look; }),
};

extern const Detector kFacts;
const Detector kFacts = {
    "host-facts",
    kNotice,
    "what tells of the host, read",
    "Names, ids, mounts and clocks tell an attacker where he is and which way out there may be. Nearly every "
    "program reads some of them, so each is a remark; many in a short time are told by host-facts-many.",
    "proc(5); T1082; T1614",
    "uptime-* host-name host-name-* boot-id machine-id machine-id-* accounts groups file-systems resolver homes "
    "namespace-* proc-cmdline proc-interrupts proc-stat-interrupts proc-diskstats proc-partitions proc-zoneinfo "
    "proc-pressure mount-paths cgroup-path cgroup-leave cgroup-limits cgroup-devices release-agent "
    "release-agent-own root-device scratch-device handle-*",
    bit(Kind::File) | bit(Kind::Other) | bit(Kind::Clock),
    start_steps<kFacts, kFactSteps>};

constexpr StepDetector kFactDetectors[] = {{&kFacts, kFactSteps}};

}  // namespace

std::span<const StepDetector> fact_detectors() { return kFactDetectors; }

}  // namespace immure::watch
