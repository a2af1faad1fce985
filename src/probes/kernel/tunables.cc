// Settings of the kernel that the whole host shares, opened for writing; nothing is written.
#include "probes/kernel/look.h"

namespace immure::probes {
namespace {

constexpr uint32_t kSysctl = by(Layer::Mounts, Layer::UserNs, Layer::Root);

constexpr Probe row(const char* id, const char* technique, const char* about, const char* reference,
                    const char* path) {
  return {id,    Category::Kernel, technique, about, reference, kSysctl, Proof::None,
          kBare, open_to_write,    kPlain,    path};
}

constexpr Probe kTunables[] = {
    row("sysctl-core-pattern", "write kernel.core_pattern",
        "A pattern that begins with a bar names a program which the kernel starts as root of the host, "
        "outside of every namespace, when any process crashes. It is the shortest way from root inside to "
        "root outside.",
        "core(5)", "/proc/sys/kernel/core_pattern"),
    row("sysctl-modprobe", "write kernel.modprobe",
        "Names the program that the kernel starts as root when it misses a module. An unknown binary format "
        "or protocol is enough to have it started; many kernel exploits end with this very file.",
        "proc_sys_kernel(5)", "/proc/sys/kernel/modprobe"),
    row("sysctl-hotplug", "write kernel.hotplug",
        "Names the program that older kernels start as root for each event of a device, and events can be "
        "asked for. The file is opened for writing, and nothing is written.",
        "proc_sys_kernel(5)", "/proc/sys/kernel/hotplug"),
    row("sysctl-poweroff", "write kernel.poweroff_cmd",
        "Names the program that the kernel starts as root when it is asked for an orderly end. The file is "
        "opened for writing, and nothing is written.",
        "kernel/reboot.c", "/proc/sys/kernel/poweroff_cmd"),
    row("sysctl-sysrq", "write kernel.sysrq",
        "Says which emergency commands the host takes from its keyboard: restart, kill everything, show all "
        "tasks. The file is opened for writing, and nothing is written.",
        "proc_sys_kernel(5)", "/proc/sys/kernel/sysrq"),
    row("sysctl-randomize", "write kernel.randomize_va_space",
        "Switches address randomization off for every program that is started on the host from then on. The "
        "file is opened for writing, and nothing is written.",
        "proc_sys_kernel(5)", "/proc/sys/kernel/randomize_va_space"),
    row("sysctl-kptr-restrict", "write kernel.kptr_restrict",
        "Decides who sees addresses of the kernel in its files, the first thing that an exploit needs. The "
        "file is opened for writing, and nothing is written.",
        "proc_sys_kernel(5)", "/proc/sys/kernel/kptr_restrict"),
    row("sysctl-dmesg-restrict", "write kernel.dmesg_restrict",
        "Decides whether every user may read the kernel's log. The file is opened for writing, and nothing "
        "is written.",
        "proc_sys_kernel(5)", "/proc/sys/kernel/dmesg_restrict"),
    row("sysctl-ptrace-scope", "write kernel.yama.ptrace_scope",
        "Decides who may trace whom on hosts with Yama; it holds for all of them. The file is opened for "
        "writing, and nothing is written.",
        "ptrace(2)", "/proc/sys/kernel/yama/ptrace_scope"),
    row("sysctl-bpf", "write kernel.unprivileged_bpf_disabled",
        "Opens bpf to every user of the host again. The file is opened for writing, and nothing is written.",
        "bpf(2)", "/proc/sys/kernel/unprivileged_bpf_disabled"),
    row("sysctl-perf", "write kernel.perf_event_paranoid",
        "Decides what unprivileged users may measure, down to the kernel's own addresses. The file is opened "
        "for writing, and nothing is written.",
        "perf_event_open(2)", "/proc/sys/kernel/perf_event_paranoid"),
    row("sysctl-host-name", "write kernel.hostname",
        "Sets the host's name by a file, where filters that look at sethostname do not look. The file is "
        "opened for writing, and nothing is written.",
        "proc_sys_kernel(5)", "/proc/sys/kernel/hostname"),
    row("sysctl-domain-name", "write kernel.domainname",
        "Sets the host's NIS domain by a file, past filters of setdomainname. The file is opened for "
        "writing, and nothing is written.",
        "proc_sys_kernel(5)", "/proc/sys/kernel/domainname"),
    row("sysctl-last-pid", "write kernel.ns_last_pid",
        "Chooses the next process id, which makes ids predictable where somebody waits for one to be used "
        "again. The file can be opened by everybody and asks for CAP_CHECKPOINT_RESTORE when it is written.",
        "pid_namespaces(7)", "/proc/sys/kernel/ns_last_pid"),
    row("sysctl-pid-max", "write kernel.pid_max",
        "Bounds the number of processes; a small value stops the host from starting any. Namespaces of "
        "processes have their own since Linux 6.14.",
        "proc_sys_kernel(5)", "/proc/sys/kernel/pid_max"),
    row("sysctl-printk", "write kernel.printk",
        "Chooses what the kernel writes to its console, so that warnings about an attack do not appear. The "
        "file is opened for writing, and nothing is written.",
        "proc_sys_kernel(5)", "/proc/sys/kernel/printk"),
    row("sysctl-panic", "write kernel.panic_on_oops",
        "Makes each fault in the kernel end the machine, which turns small bugs into a way to stop it. The "
        "file is opened for writing, and nothing is written.",
        "proc_sys_kernel(5)", "/proc/sys/kernel/panic_on_oops"),
    row("sysctl-drop-caches", "write vm.drop_caches",
        "Throws the page cache of the whole host away, again and again: everything else waits for the disk. "
        "The file is opened for writing, and nothing is written.",
        "proc_sys_vm(5)", "/proc/sys/vm/drop_caches"),
    row("sysctl-overcommit", "write vm.overcommit_memory",
        "Decides whether memory may be promised that is not there. Set to never, large programs outside "
        "fail.",
        "proc_sys_vm(5)", "/proc/sys/vm/overcommit_memory"),
    row("sysctl-map-low", "write vm.mmap_min_addr",
        "The lowest address that may be mapped. With zero, each use of a null pointer in the kernel can be "
        "exploited.",
        "proc_sys_vm(5)", "/proc/sys/vm/mmap_min_addr"),
    row("sysctl-panic-memory", "write vm.panic_on_oom",
        "Makes a lack of memory end the machine, where a jail can arrange a lack. The file is opened for "
        "writing, and nothing is written.",
        "proc_sys_vm(5)", "/proc/sys/vm/panic_on_oom"),
    row("sysctl-set-id-dump", "write fs.suid_dumpable",
        "Lets set-id programs write core files, which gives their memory, or files owned by root, away. The "
        "file is opened for writing, and nothing is written.",
        "proc_sys_fs(5)", "/proc/sys/fs/suid_dumpable"),
    row("sysctl-hard-links", "write fs.protected_hardlinks",
        "Lets users make hard links to files of others again, the old attack on everything that works in "
        "/tmp. The file is opened for writing, and nothing is written.",
        "proc_sys_fs(5)", "/proc/sys/fs/protected_hardlinks"),
    row("sysctl-forwarding", "write net.ipv4.ip_forward",
        "Makes a router of the host. In a network namespace of one's own it is one's own setting.", "ip(7)",
        "/proc/sys/net/ipv4/ip_forward"),
    row("binfmt-register", "register a binary format of the host",
        "Names an interpreter for files that begin with given bytes. With the flag C it runs with the rights "
        "of a set-id file, so the next such file that anybody starts runs the attacker's program as its "
        "owner.",
        "Documentation/admin-guide/binfmt-misc.rst", "/proc/sys/fs/binfmt_misc/register"),
    row("sysrq-trigger", "write to sysrq-trigger",
        "One letter restarts the machine, kills every process or shows all tasks, without a key pressed, "
        "whatever kernel.sysrq says. The file is opened for writing, and nothing is written.",
        "Documentation/admin-guide/sysrq.rst", "/proc/sysrq-trigger"),
    row("irq-affinity", "write the affinity of interrupts",
        "Binds the host's interrupts to one processor. Docker mounts this folder read-only.",
        "Documentation/core-api/irq/irq-affinity.rst", "/proc/irq/default_smp_affinity"),
    row("memory-types", "write the memory type ranges",
        "Makes ranges of physical memory uncached, which makes a machine very slow, or stops it. The file is "
        "opened for writing, and nothing is written.",
        "Documentation/arch/x86/mtrr.rst", "/proc/mtrr"),
};

}  // namespace

std::span<const Probe> tunables() { return kTunables; }

}  // namespace immure::probes
