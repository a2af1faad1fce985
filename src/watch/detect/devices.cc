// Devices and terminals.
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "watch/detect/table.h"

namespace immure::watch {
namespace {

constexpr Severity kNotice = Severity::Notice, kLow = Severity::Low, kMedium = Severity::Medium,
                   kHigh = Severity::High;

// mknod has mode and number behind the path, mknodat behind folder and path: flags is the mode of both.
uint64_t number_of(const Event& event) {
  return (event.args[1] & 0xffffffffU) == (event.flags & 0xffffffffU) ? event.args[2] : event.args[3];
}
template <unsigned type, unsigned major_number, unsigned minor_number>
bool is_node(const Event& event) {
  return (event.flags & S_IFMT) == type && number_of(event) == makedev(major_number, minor_number);
}
bool is_block(const Event& event) { return (event.flags & S_IFMT) == S_IFBLK; }
bool is_misc(const Event& event) {
  return (event.flags & S_IFMT) == S_IFCHR && major(number_of(event)) == 10;
}
bool is_console(const Event& event) {
  return (event.flags & S_IFMT) == S_IFCHR && major(number_of(event)) == 4;
}
// null, zero, full, random, urandom, tty, console, ptmx: what every root has.
bool is_harmless(const Event& event) {
  const uint64_t number = number_of(event);
  const unsigned low = minor(number);
  if ((event.flags & S_IFMT) != S_IFCHR) return false;
  if (major(number) == 1) return low == 3 || low == 5 || low == 7 || low == 8 || low == 9;
  return (major(number) == 5 && low <= 2) || number == 0;  // 0: a whiteout of an overlay
}

constexpr Step kNodeSteps[] = {
    calls("mknod-mem", kHigh, "mknod mknodat", "makes a node of the physical memory", is_node<S_IFCHR, 1, 1>),
    calls("mknod-mem", kHigh, "mknod mknodat", "makes a node of the kernel's memory", is_node<S_IFCHR, 1, 2>),
    calls("mknod-port", kHigh, "mknod mknodat", "makes a node of the I/O ports", is_node<S_IFCHR, 1, 4>),
    calls("mknod-kmsg", kHigh, "mknod mknodat", "makes a node of the kernel's log", is_node<S_IFCHR, 1, 11>),
    calls("mknod-sda", kHigh, "mknod mknodat", "makes a node of the first disk", is_node<S_IFBLK, 8, 0>),
    calls("mknod-loop0", kHigh, "mknod mknodat", "makes a node of a loop device", is_node<S_IFBLK, 7, 0>),
    calls("mknod-host-disk", kHigh, "mknod mknodat", "makes a node of a disk", is_block),
    calls("mknod-loop-control", kHigh, "mknod mknodat", "makes a node of the maker of loop devices",
          is_node<S_IFCHR, 10, 237>),
    calls("mknod-kvm", kHigh, "mknod mknodat", "makes a node of the hypervisor", is_node<S_IFCHR, 10, 232>),
    calls("mknod-fuse", kMedium, "mknod mknodat", "makes a node of file systems in programs",
          is_node<S_IFCHR, 10, 229>),
    calls("mknod-tun", kMedium, "mknod mknodat", "makes a node of network tunnels",
          is_node<S_IFCHR, 10, 200>),
    calls("mknod-uinput", kHigh, "mknod mknodat", "makes a node of the maker of keyboards",
          is_node<S_IFCHR, 10, 223>),
    calls("mknod-dma-latency", kMedium, "mknod mknodat", "makes a node of a driver with one device", is_misc),
    calls("mknod-tty0", kHigh, "mknod mknodat", "makes a node of the active console", is_node<S_IFCHR, 4, 0>),
    calls("mknod-tty1", kHigh, "mknod mknodat", "makes a node of a virtual console", is_console),
    calls("mknod-null", kNotice, "mknod mknodat", "makes a node that every root has", is_harmless),
    calls("mknod-mem", kMedium, "mknod mknodat", "makes a device node",
          [](const Event& e) { return (e.flags & S_IFMT) == S_IFCHR && !is_harmless(e); }),
};

extern const Detector kNodes;
const Detector kNodes = {
    "device-nodes",
    kMedium,
    "device nodes made",
    "A node is the device, in whatever folder it stands: the disk below every jail's root is a number away. Tools "
    "that build a root make those that every root has, which is a remark.",
    "mknod(2); null(4); T1006",
    "mknod-* mount-root-disk set-id-mknod",
    bit(Kind::Device),
    start_steps<kNodes, kNodeSteps>};

// What a node is called where it was planted. No call shows the number behind an ordinary name.
bool is_hardware_name(const Event& event) {
  constexpr std::string_view kNames[] = {
      "mem",   "kmem",      "port",     "kmsg",    "msr",     "cpuid",  "nvram",        "hpet",
      "hwrng", "vda",       "sda",      "nvme",    "nvme0n1", "loop0",  "loop-control", "mapper-control",
      "fuse",  "disk-253",  "autofs",   "kvm",     "tun",     "uinput", "vhost-vsock",  "btrfs-control",
      "vfio",  "vhost-net", "event0",   "rfkill",  "fb0",     "sound",  "controlC0",    "ppp",
      "card0", "watchdog",  "snapshot", "console", "tty0",    "tty1",   "vcs",          "vcsa"};
  std::string_view name = event.path.substr(event.path.rfind('/') + 1);
  if (event.path.substr(0, 5) == "/proc" || event.path.substr(0, 4) == "/sys") return false;
  for (std::string_view one : kNames)
    if (name == one || (name.size() > one.size() && name[name.size() - one.size() - 1] == '-' &&
                        name.substr(name.size() - one.size()) == one))
      return true;
  return false;
}
bool opened_or_looked(const Event& event) {
  return (event.action == Action::Open || event.action == Action::Look) && is_hardware_name(event);
}

constexpr Step kDeviceSteps[] = {
    file("dev-memory", kHigh, Use::Any, "/dev/mem /dev/kmem /dev/port /dev/nvram /dev/cpu/*",
         "reaches for memory or ports of the machine",
         [](const Event& e) { return e.action == Action::Open; }),
    file("dev-memory", kMedium, Use::Any, "/dev/kmsg /dev/hpet /dev/hwrng", "opens a device of the machine",
         [](const Event& e) { return e.action == Action::Open; }),
    file("dev-disks", kHigh, Use::Write, "/dev/sd* /dev/vd* /dev/nvme* /dev/xvd* /dev/dm-* /dev/mapper/*",
         "opens a disk to write"),
    file("dev-disks", kMedium, Use::Read, "/dev/sd* /dev/vd* /dev/nvme* /dev/xvd* /dev/dm-* /dev/loop#",
         "opens a disk"),
    file(
        "dev-misc", kMedium, Use::Any,
        "/dev/kvm /dev/loop-control /dev/uinput /dev/vhost-* /dev/vfio/* /dev/userfaultfd /dev/btrfs-control",
        "opens a driver's device", [](const Event& e) { return e.action == Action::Open; }),
    file("dev-misc", kLow, Use::Any, "/dev/fuse /dev/net/tun /dev/autofs /dev/rfkill /dev/snapshot",
         "opens a driver's device", [](const Event& e) { return e.action == Action::Open; }),
    file("dev-consoles", kMedium, Use::Any, "/dev/tty0 /dev/tty# /dev/vcs* /dev/console /dev/ttyS#",
         "opens a console", [](const Event& e) { return e.action == Action::Open; }),
    file("dev-other", kLow, Use::Any, "/dev/input/* /dev/snd/* /dev/dri/* /dev/fb# /dev/watchdog* /dev/ppp",
         "opens a hardware device", [](const Event& e) { return e.action == Action::Open; }),
    file("dev-other", kNotice, Use::Read, "/dev", "lists the devices"),
    file("planted-mem", kMedium, Use::Any, "/*",
         "opens a device's name that is not in /dev, and fails as a node would",
         [](const Event& e) {
           return e.action == Action::Open && e.path.substr(0, 5) != "/dev/" && is_hardware_name(e) &&
                  (failed_with(e, ENXIO) || failed_with(e, EACCES) || failed_with(e, EPERM) ||
                   failed_with(e, ENODEV));
         }),
    file("planted-mem", kNotice, Use::Any, "/*", "opens or looks at a device's name that is not in /dev",
         [](const Event& e) { return e.path.substr(0, 5) != "/dev/" && opened_or_looked(e); }),
    file("mknod-dma-latency", kNotice, Use::Read, "/proc/misc /proc/devices", "reads the numbers of devices"),
};

extern const Detector kDevices;
const Detector kDevices = {
    "devices",
    kMedium,
    "devices of the machine opened",
    "Behind a device are a driver and hardware that know nothing of jails. Programs open null, random and their "
    "terminal, which are not told; tools for disks and machines open their devices as their work.",
    "mem(4); T1006",
    "dev-* planted-* mknod-*",
    bit(Kind::File) | bit(Kind::Device),
    start_steps<kDevices, kDeviceSteps>};

// ---- terminals

uint32_t request(const Event& event) { return static_cast<uint32_t>(event.args[1]); }
template <uint32_t one>
bool asks(const Event& event) {
  return request(event) == one;
}

constexpr Step kTerminalSteps[] = {
    calls("tty-type-high", kHigh, "ioctl", "types into a terminal, with bits above the request's 32",
          [](const Event& e) { return asks<0x5412>(e) && e.args[1] >> 32 != 0; }),
    calls("tty-type", kHigh, "ioctl", "types into a terminal", asks<0x5412>),
    calls("mknod-tty1", kHigh, "ioctl", "pastes into a virtual console", asks<0x541c>),
    calls("tty-console", kHigh, "ioctl", "takes the console's output", asks<0x541d>),
    calls("tty-discipline-high", kMedium, "ioctl", "sets a line discipline, with bits above the request's 32",
          [](const Event& e) { return asks<0x5423>(e) && e.args[1] >> 32 != 0; }),
    calls("tty-discipline", kLow, "ioctl", "sets a line discipline", asks<0x5423>),
    calls("tty-flush", kNotice, "ioctl", "throws away what is typed ahead", asks<0x540b>),
    calls("tty-size", kNotice, "ioctl", "sets a terminal's size", asks<0x5414>),
    calls("tty-controlling", kNotice, "ioctl", "asks which terminal a descriptor is", asks<0x80045432>),
    calls("tty-modes", kNotice, "ioctl", "sets a terminal's modes",
          [](const Event& e) { return request(e) >= 0x5402 && request(e) <= 0x5409; }),
    file("tty-controlling", kNotice, Use::Any, "/dev/tty", "opens its terminal"),
    file("tty-others", kNotice, Use::Any, "/dev/pts/#", "looks at a terminal"),
};

extern const Detector kTerminals;
const Detector kTerminals = {
    "terminals",
    kMedium,
    "what is done to a terminal",
    "Characters that are typed into a caller's terminal are read by the caller's shell when the jail has ended. "
    "Modes, sizes and flushing are every editor's daily work, and remarks.",
    "ioctl_tty(2); CVE-2017-5226; T1056",
    "tty-* mknod-tty1 terminals",
    bit(Kind::Device) | bit(Kind::File),
    start_steps<kTerminals, kTerminalSteps>};

constexpr StepDetector kDeviceDetectors[] = {
    {&kNodes, kNodeSteps}, {&kDevices, kDeviceSteps}, {&kTerminals, kTerminalSteps}};

}  // namespace

std::span<const StepDetector> device_detectors() { return kDeviceDetectors; }

}  // namespace immure::watch
