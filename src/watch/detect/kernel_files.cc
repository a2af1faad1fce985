// The kernel's own files in /proc and /sys: what writes them sets the machine, what reads them learns of it.
#include "watch/detect/table.h"

namespace immure::watch {
namespace {

constexpr Severity kNotice = Severity::Notice, kLow = Severity::Low, kMedium = Severity::Medium,
                   kHigh = Severity::High;
constexpr Use kWrite = Use::Write, kAny = Use::Any, kRead = Use::Read;

constexpr Step kWriteSteps[] = {
    file("sysctl-core-pattern", kHigh, kWrite, "/proc/sys/kernel/core_pattern",
         "opens to write which program the kernel starts at a crash"),
    file("sysctl-modprobe", kHigh, kWrite, "/proc/sys/kernel/modprobe",
         "opens to write which program the kernel loads modules with"),
    file("sysctl-hotplug", kHigh, kWrite, "/proc/sys/kernel/hotplug",
         "opens to write which program the kernel starts for devices"),
    file("sysctl-poweroff", kHigh, kWrite, "/proc/sys/kernel/poweroff_cmd",
         "opens to write which program switches the machine off"),
    file("sysctl-sysrq", kHigh, kWrite, "/proc/sys/kernel/sysrq", "opens to write what the magic key may"),
    file("sysctl-randomize", kHigh, kWrite, "/proc/sys/kernel/randomize_va_space",
         "opens to write whether addresses are random"),
    file("sysctl-kptr-restrict", kHigh, kWrite, "/proc/sys/kernel/kptr_restrict",
         "opens to write who sees the kernel's addresses"),
    file("sysctl-dmesg-restrict", kHigh, kWrite, "/proc/sys/kernel/dmesg_restrict",
         "opens to write who reads the kernel's log"),
    file("sysctl-ptrace-scope", kHigh, kWrite, "/proc/sys/kernel/yama/ptrace_scope",
         "opens to write who may trace whom"),
    file("sysctl-bpf", kHigh, kWrite, "/proc/sys/kernel/unprivileged_bpf_disabled",
         "opens to write who may load BPF programs"),
    file("sysctl-perf", kHigh, kWrite, "/proc/sys/kernel/perf_event_paranoid",
         "opens to write who may count the kernel's events"),
    file("sysctl-host-name", kMedium, kWrite, "/proc/sys/kernel/hostname", "opens the host's name to write"),
    file("sysctl-domain-name", kMedium, kWrite, "/proc/sys/kernel/domainname",
         "opens the NIS domain to write"),
    file("sysctl-last-pid", kMedium, kWrite, "/proc/sys/kernel/ns_last_pid",
         "opens to write which process id comes next"),
    file("sysctl-pid-max", kMedium, kWrite, "/proc/sys/kernel/pid_max",
         "opens to write how many processes there can be"),
    file("sysctl-printk", kMedium, kWrite, "/proc/sys/kernel/printk",
         "opens to write what the console shows"),
    file("sysctl-panic", kMedium, kWrite, "/proc/sys/kernel/panic_on_oops /proc/sys/kernel/panic",
         "opens to write whether a fault ends the machine"),
    file("sysctl-drop-caches", kMedium, kWrite, "/proc/sys/vm/drop_caches",
         "opens to drop the host's caches"),
    file("sysctl-overcommit", kMedium, kWrite, "/proc/sys/vm/overcommit_memory",
         "opens to write how much memory is promised"),
    file("sysctl-map-low", kHigh, kWrite, "/proc/sys/vm/mmap_min_addr",
         "opens to write whether address 0 can be mapped"),
    file("sysctl-panic-memory", kMedium, kWrite, "/proc/sys/vm/panic_on_oom",
         "opens to write whether a lack of memory ends the machine"),
    file("sysctl-set-id-dump", kHigh, kWrite, "/proc/sys/fs/suid_dumpable",
         "opens to write whether set-id programs leave core files"),
    file("sysctl-hard-links", kHigh, kWrite, "/proc/sys/fs/protected_*",
         "opens to write how links are protected"),
    file("sysctl-forwarding", kMedium, kWrite, "/proc/sys/net/ipv4/ip_forward /proc/sys/net/*",
         "opens a setting of the network to write"),
    file("binfmt-register", kHigh, kWrite, "/proc/sys/fs/binfmt_misc/*",
         "opens the register of binary formats to write"),
    file("binfmt-own-mount", kHigh, kWrite, "/*", "opens a register of binary formats to write",
         [](const Event& e) { return e.path.find("binfmt") != std::string_view::npos; }),
    file("sysctl-core-pattern", kMedium, kWrite, "/proc/sys/*", "opens a setting of the kernel to write"),
    file("sysrq-trigger", kHigh, kWrite, "/proc/sysrq-trigger", "opens the magic key"),
    file("irq-affinity", kMedium, kWrite, "/proc/irq/*", "opens the affinity of interrupts to write"),
    file("memory-types", kMedium, kWrite, "/proc/mtrr", "opens the ranges of memory types to write"),
    file("uevent-helper", kHigh, kWrite, "/sys/kernel/uevent_helper",
         "opens to write which program the kernel starts for devices"),
    file("sys-power-state", kHigh, kWrite, "/sys/power/*", "opens the power state of the machine to write"),
    file("sys-pci-rescan", kHigh, kWrite, "/sys/bus/pci/*", "opens the buses of devices to write"),
    file("sys-profiling", kMedium, kWrite, "/sys/kernel/profiling", "opens the kernel's profiling to write"),
    file("sys-huge-pages", kMedium, kWrite, "/sys/kernel/mm/*", "opens settings of memory to write"),
    file("sys-reboot-mode", kMedium, kWrite, "/sys/kernel/reboot/*", "opens the way of rebooting to write"),
    file("trace-kprobe", kHigh, kWrite,
         "/sys/kernel/tracing/kprobe_events /sys/kernel/debug/tracing/kprobe_events",
         "opens to write probes of the kernel"),
    file("trace-marker", kLow, kWrite, "/sys/kernel/tracing/* /sys/kernel/debug/tracing/*",
         "opens the kernel's trace to write"),
    file("release-agent", kHigh, kWrite, "/*",
         "opens to write which program the kernel starts for an empty group",
         [](const Event& e) {
           return e.path.size() >= 13 && e.path.substr(e.path.size() - 13) == "release_agent";
         }),
    file("cgroup-leave", kMedium, kWrite,
         "/sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/tasks /sys/fs/cgroup/*/tasks",
         "opens to leave its control group"),
    file("cgroup-devices", kHigh, kWrite, "/sys/fs/cgroup/*", "opens to write which devices a group may use",
         [](const Event& e) { return e.path.find("devices.") != std::string_view::npos; }),
    file("cgroup-limits", kLow, kWrite, "/sys/fs/cgroup/*", "opens a control group to write"),
    file("sys-huge-pages", kLow, kWrite, "/sys/*", "opens a setting in /sys to write"),
};

extern const Detector kWrites;
const Detector kWrites = {
    "kernel-settings-written",
    kHigh,
    "the kernel's settings opened to write",
    "Several of these files name a program that the kernel starts outside of every jail, as root; others take "
    "protections away. System services write some when a machine starts; nothing in a jail does.",
    "proc(5); CVE-2022-0492; T1611",
    "sysctl-* binfmt-* sysrq-trigger irq-affinity memory-types uevent-helper sys-power-state sys-pci-rescan "
    "sys-profiling sys-huge-pages sys-reboot-mode trace-* release-agent release-agent-own cgroup-*",
    bit(Kind::File),
    start_steps<kWrites, kWriteSteps>};

constexpr Step kReadSteps[] = {
    file("proc-kcore", kHigh, kAny, "/proc/kcore", "opens all of the machine's memory"),
    file("proc-kmsg", kMedium, kAny, "/proc/kmsg", "opens the kernel's log"),
    file("proc-kallsyms", kMedium, kRead, "/proc/kallsyms", "reads the addresses of the kernel"),
    file("proc-module-addresses", kNotice, kRead, "/proc/modules", "reads the list of modules"),
    file("proc-iomem", kLow, kRead, "/proc/iomem", "reads the map of physical memory"),
    file("proc-ioports", kLow, kRead, "/proc/ioports", "reads the map of the hardware's ports"),
    file("proc-timer-list", kLow, kRead, "/proc/timer_list", "reads the timers of every process"),
    file("proc-sched-debug", kLow, kRead, "/proc/sched_debug /sys/kernel/debug/sched/*",
         "reads the scheduler's view of every process"),
    file("proc-slabinfo", kLow, kRead, "/proc/slabinfo", "reads the kernel's object caches"),
    file("proc-vmallocinfo", kLow, kRead, "/proc/vmallocinfo", "reads the kernel's large allocations"),
    file("proc-pagetypeinfo", kLow, kRead, "/proc/pagetypeinfo", "reads the free pages by kind"),
    file("proc-kpagecount", kMedium, kAny, "/proc/kpagecount", "opens how often each page is mapped"),
    file("proc-kpageflags", kMedium, kAny, "/proc/kpageflags", "opens what each page is used for"),
    file("proc-kpagecgroup", kMedium, kAny, "/proc/kpagecgroup", "opens whose each page is"),
    file("proc-page-frames", kLow, kAny, "/proc/self/pagemap /proc/#/pagemap",
         "opens the physical addresses of memory"),
    file("proc-kernel-stack", kLow, kRead, "/proc/self/stack /proc/thread-self/stack",
         "reads its kernel stack"),
    file("proc-latency", kLow, kRead, "/proc/latency_stats", "reads where every process waits"),
    file("proc-acpi", kNotice, kAny, "/proc/acpi /proc/acpi/*", "looks at the power management"),
    file("proc-scsi", kNotice, kAny, "/proc/scsi /proc/scsi/*", "looks at the disks"),
    file("proc-buses", kNotice, kAny, "/proc/bus/pci/devices", "reads the devices on the buses"),
    file("proc-bus", kNotice, kAny, "/proc/bus /proc/bus/*", "looks at the buses"),
    file("proc-driver", kNotice, kAny, "/proc/driver /proc/driver/*", "looks at the drivers"),
    file("proc-fs", kNotice, kAny, "/proc/fs /proc/fs/*", "looks at the file systems"),
    file("proc-sound", kNotice, kAny, "/proc/asound /proc/asound/*", "looks at the sound cards"),
    file("sys-kernel-list", kNotice, kRead, "/sys/kernel", "lists the kernel's parts"),
    file("sys-debug", kLow, kAny, "/sys/kernel/debug /sys/kernel/debug/*", "looks at debugfs"),
    file("sys-tracing", kLow, kAny, "/sys/kernel/tracing /sys/kernel/tracing/*", "looks at tracefs"),
    file("sys-security", kNotice, kAny, "/sys/kernel/security /sys/kernel/security/*", "looks at securityfs"),
    file("sys-config", kNotice, kAny, "/sys/kernel/config /sys/kernel/config/*", "looks at configfs"),
    file("sys-efi", kLow, kAny, "/sys/firmware/efi/efivars /sys/firmware/efi/efivars/*",
         "looks at the firmware's variables"),
    file("sys-firmware", kNotice, kRead, "/sys/firmware /sys/firmware/*", "looks at the firmware"),
    file("sys-pstore", kLow, kAny, "/sys/fs/pstore /sys/fs/pstore/*", "looks at what crashes left"),
    file("cgroup-tree", kNotice, kRead, "/sys/fs/cgroup", "lists the control groups"),
    file("sys-fs", kNotice, kRead, "/sys/fs", "lists the file systems in /sys"),
    file("sys-class-net", kNotice, kRead, "/sys/class/net /sys/class/net/*", "reads the network interfaces"),
    file("sys-class", kNotice, kRead, "/sys/class", "lists the classes of devices"),
    file("sys-block", kNotice, kRead, "/sys/block", "lists the disks"),
    file("sys-bus", kNotice, kRead, "/sys/bus", "lists the buses"),
    file("sys-devices", kNotice, kRead, "/sys/devices", "lists the devices"),
    file("sys-module", kNotice, kRead, "/sys/module", "lists the modules"),
    file("hardware-id", kNotice, kRead, "/sys/class/dmi/* /sys/devices/virtual/dmi/*",
         "reads the names of the hardware"),
    file("kernel-parts", kNotice, kRead, "/sys/kernel/*", "reads of the kernel's parts"),
};

extern const Detector kReads;
const Detector kReads = {
    "kernel-files-read",
    kLow,
    "the kernel's own state read",
    "Addresses of the kernel, its memory and its log are what an exploit needs first. Lists of devices and parts "
    "are read by tools that show the machine, and are remarks.",
    "proc(5); sysfs(5); T1082",
    "proc-kcore proc-kmsg proc-kallsyms proc-module-addresses proc-io* proc-timer-list proc-sched-debug "
    "proc-slabinfo proc-vmallocinfo proc-page* proc-kpage* proc-kernel-stack proc-latency proc-acpi proc-scsi "
    "proc-bus proc-buses proc-driver proc-fs proc-sound sys-* cgroup-tree hardware-id kernel-parts",
    bit(Kind::File),
    start_steps<kReads, kReadSteps>};

constexpr StepDetector kKernelFileDetectors[] = {{&kWrites, kWriteSteps}, {&kReads, kReadSteps}};

}  // namespace

std::span<const StepDetector> kernel_file_detectors() { return kKernelFileDetectors; }

}  // namespace immure::watch
