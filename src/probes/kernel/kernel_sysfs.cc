// /sys: the host's devices, drivers and the kernel's own switches. Opened and listed; nothing is written.
#include "probes/kernel/look.h"

namespace immure::probes {
namespace {

constexpr Probe look(const char* id, const char* technique, const char* about, const char* path) {
  return {
      id,          Category::Kernel,           technique, about,  "sysfs(5)", by(Layer::Root, Layer::MountNs),
      Proof::None, loosened("--ro-bind /sys"), list_some, kPlain, path};
}
constexpr Probe write(const char* id, const char* technique, const char* about, const char* reference,
                      const char* path) {
  return {id,    Category::Kernel, technique, about, reference, by(Layer::Root, Layer::UserNs), Proof::None,
          kBare, open_to_write,    kPlain,    path};
}
constexpr Probe list(const char* id, const char* technique, const char* about, const char* reference,
                     const char* path) {
  return {id,    Category::Kernel, technique, about, reference, by(Layer::Root, Layer::UserNs), Proof::None,
          kBare, list_some,        kPlain,    path};
}

constexpr Probe kKernelSysfs[] = {
    look("sys-kernel-list", "list /sys/kernel",
         "The kernel's own state and switches: its build id, its type information, its object caches, its "
         "mitigations. A program that is not about the machine needs none of it.",
         "/sys/kernel"),
    look("sys-class", "list /sys/class",
         "Every device of the host by kind: disks, network interfaces with their addresses, serial numbers, "
         "batteries. Each can be told again by these on another day, and so can the host.",
         "/sys/class"),
    look("sys-block", "list /sys/block",
         "The host's disks with sizes, partitions and serial numbers, and counters by which work of others "
         "is seen. Some of their settings are files that root writes.",
         "/sys/block"),
    look("sys-bus", "list /sys/bus",
         "Buses, drivers and what is plugged in, USB sticks and keyboards too. Root of the host binds and "
         "unbinds drivers here.",
         "/sys/bus"),
    look("sys-devices", "list /sys/devices",
         "The tree of the whole machine; under it are sensors whose noise tells what the processor does "
         "(CVE-2020-8694 was that every user could read how much energy it takes). A jail that shows it "
         "shows the machine that it runs on.",
         "/sys/devices"),
    look("sys-firmware", "list /sys/firmware",
         "Tables of the firmware with serial numbers of the machine, its ACPI code and its boot variables. "
         "Docker hides it.",
         "/sys/firmware"),
    look(
        "sys-module", "list /sys/module",
        "Loaded and built-in drivers with their parameters, and addresses of sections for who may read them. "
        "Many parameters can be written by root, which changes the driver for the whole host.",
        "/sys/module"),
    look("sys-fs", "list /sys/fs",
         "State of mounted file systems by their device, the tree of control groups, pinned BPF objects. "
         "Settings of file systems stand beside them, for root to write.",
         "/sys/fs"),
    write("uevent-helper", "write the kernel's uevent helper",
          "Names the program that the kernel starts as root of the host for each event of a device; an event "
          "is had by writing to any uevent file. It is a classic way out of privileged containers.",
          "lib/kobject_uevent.c, CONFIG_UEVENT_HELPER", "/sys/kernel/uevent_helper"),
    write("sys-power-state", "write /sys/power/state",
          "One word puts the machine to sleep. Nothing is written by the attempt.",
          "Documentation/admin-guide/pm/sleep-states.rst", "/sys/power/state"),
    write("sys-pci-rescan", "write /sys/bus/pci/rescan",
          "Has the kernel look for devices again, and beside it each device has a file that removes it: the "
          "host's disk or network card can be taken away. Nothing is written by the attempt.",
          "Documentation/ABI/testing/sysfs-bus-pci", "/sys/bus/pci/rescan"),
    write("sys-profiling", "write /sys/kernel/profiling",
          "Starts the kernel's oldest profiler for the whole host. It takes memory for good, and tells where "
          "the kernel spends its time.",
          "Documentation/ABI/testing/sysfs-profiling", "/sys/kernel/profiling"),
    write("sys-huge-pages", "write the setting of huge pages",
          "Changes how memory is given out to every process of the host. That makes them slower, or larger, "
          "and the attacker's timing easier.",
          "Documentation/admin-guide/mm/transhuge.rst", "/sys/kernel/mm/transparent_hugepage/enabled"),
    write("sys-reboot-mode", "write the way of rebooting",
          "Chooses what the machine does when it is told to reboot the next time, and through which port. A "
          "way that does not work on the machine keeps it from coming back.",
          "Documentation/ABI/testing/sysfs-kernel-reboot", "/sys/kernel/reboot/mode"),
    write("trace-kprobe", "define a probe in the kernel through tracefs",
          "A line sets a breakpoint anywhere in the kernel and records its arguments: passwords, keys, what "
          "others type. The file is opened for writing and left alone.",
          "Documentation/trace/kprobetrace.rst", "/sys/kernel/tracing/kprobe_events"),
    write("trace-marker", "write into the kernel's trace",
          "Fills the trace of the host with lines of the attacker's. What the host's administrators look for "
          "in there is pushed out of its buffer.",
          "Documentation/trace/ftrace.rst", "/sys/kernel/tracing/trace_marker"),
    list("sys-debug", "list debugfs",
         "Whatever developers of drivers found useful to see or to change, with no promise of any check. It "
         "belongs to root alone, and into no jail.",
         "Documentation/filesystems/debugfs.rst", "/sys/kernel/debug"),
    list("sys-tracing", "list tracefs",
         "Events of the whole kernel and of all processes, to read and to switch. From here to breakpoints "
         "in the kernel is one line in one file.",
         "Documentation/trace/ftrace.rst", "/sys/kernel/tracing"),
    list("sys-security", "list securityfs",
         "Policies and switches of security modules: a loaded policy can be replaced, measurements can be "
         "read. In a jail it tells at least what there is to get past.",
         "security/inode.c", "/sys/kernel/security"),
    list("sys-efi", "list the firmware's variables",
         "Boot order and keys of the firmware. In 2016 machines were left dead for good by a removal of "
         "these files.",
         "Documentation/filesystems/efivarfs.rst", "/sys/firmware/efi/efivars"),
    list("sys-config", "list configfs",
         "Making a folder here makes a kernel object: a target for disks, a USB gadget, a network console. "
         "Root of the host who can reach it needs no other way out.",
         "Documentation/filesystems/configfs.rst", "/sys/kernel/config"),
    list("sys-pstore", "list what crashes left",
         "Logs of earlier crashes of the host, with addresses and memory. They may be removed here, too, and "
         "with them the traces of an attack.",
         "Documentation/admin-guide/pstore-blk.rst", "/sys/fs/pstore"),
};

}  // namespace

std::span<const Probe> kernel_sysfs() { return kKernelSysfs; }

}  // namespace immure::probes
