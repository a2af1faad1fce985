// Device nodes that somebody left in the root: a number and a mode are all the kernel looks at.
#include <cstdio>

#include "probes/devices/node.h"
#include "probes/planted.h"

namespace immure::probes {
namespace {

constexpr uint32_t kFlags = kPlanted | kPlantedByRoot;
constexpr uint32_t kStoppedBy = by(Layer::Mounts);

bool path_of(const Yard& yard, const Probe& row, char* path, size_t size) {
  std::snprintf(path, size, "%s/%s%s", yard.planted, kNode, row.word);
  return yard.planted[0] != '\0';
}

Attempt open_planted(const Yard& yard, const Probe& row) {
  char path[256];
  if (!path_of(yard, row, path, sizeof path)) return not_applicable("nothing is planted here");
  return open_node(path, row);
}

Attempt look_planted(const Yard& yard, const Probe& row) {
  char path[256];
  if (!path_of(yard, row, path, sizeof path)) return not_applicable("nothing is planted here");
  return look_at_node(path, row);
}

constexpr Probe node(const char* id, const char* technique, const char* about, const char* reference,
                     const char* word, long number) {
  return {id,          Category::Devices, technique,    about,  reference, kStoppedBy,
          Proof::None, kChroot,           open_planted, kFlags, word,      number};
}
constexpr Probe disk(const char* id, const char* technique, const char* about, const char* reference,
                     const char* word, long number) {
  Probe row = node(id, technique, about, reference, word, number);
  row.flags |= kBlockNode;
  return row;
}
// Opening these does something: arms a timer, stops the machine, takes the screen.
constexpr Probe seen(const char* id, const char* technique, const char* about, const char* reference,
                     const char* word, long number) {
  Probe row = node(id, technique, about, reference, word, number);
  row.run = look_planted;
  return row;
}

constexpr Probe kMemory[] = {
    node("planted-mem", "planted node of the physical memory",
         "A character device 1:1 in the root is /dev/mem. On kernels without STRICT_DEVMEM it reads and "
         "writes all of the machine's memory, and with it every other program and the kernel.",
         "mem(4)", "mem", device_number(1, 1)),
    node("planted-kmem", "planted node of the kernel's memory",
         "A character device 1:2 is /dev/kmem, the kernel's own address space. Linux 5.13 took it out; on "
         "older kernels it was the first choice of root kits.",
         "mem(4)", "kmem", device_number(1, 2)),
    node("planted-port", "planted node of the I/O ports",
         "A character device 1:4 is /dev/port: each byte of it is an I/O port of the processor. Whoever "
         "writes there talks to disk controllers and to the keyboard controller, which can reset the "
         "machine.",
         "mem(4)", "port", device_number(1, 4)),
    node("planted-kmsg", "planted node of the kernel log",
         "A character device 1:11 is /dev/kmsg. It reads the kernel log, with addresses and hardware names, "
         "and lets who may write there put lines into it that look like the kernel's.",
         "Documentation/ABI/testing/dev-kmsg", "kmsg", device_number(1, 11)),
    node("planted-msr", "planted node of the processor's registers",
         "A character device 202:0 is /dev/cpu/0/msr. By writing model-specific registers one points the "
         "system call entry at own code, or switches protections of the processor off.",
         "msr(4)", "msr", device_number(202, 0)),
    node("planted-cpuid", "planted node of the processor's description",
         "A character device 203:0 is /dev/cpu/0/cpuid. It runs CPUID on a processor of the caller's choice "
         "and tells host details that /proc/cpuinfo of a jail can hide.",
         "cpuid(4)", "cpuid", device_number(203, 0)),
    node("planted-nvram", "planted node of the firmware's settings",
         "A character device 10:144 is /dev/nvram, the battery-backed memory in which firmware keeps its "
         "settings. Writing there changes how the machine starts, or makes the firmware forget everything.",
         "drivers/char/nvram.c", "nvram", device_number(10, 144)),
    node("planted-hpet", "planted node of the event timer",
         "A character device 10:228 is /dev/hpet. It maps the timer's registers into the program and makes "
         "interrupts at a rate that the program chooses.",
         "Documentation/timers/hpet.rst", "hpet", device_number(10, 228)),
    node("planted-hwrng", "planted node of the hardware's random numbers",
         "A character device 10:183 is /dev/hwrng, the raw source behind the kernel's random numbers. A "
         "reader drains a shared and slow device, and sees what is fed into the pool.",
         "Documentation/admin-guide/hw_random.rst", "hwrng", device_number(10, 183)),
};

constexpr Probe kDisks[] = {
    disk("planted-vda", "planted node of the first virtual disk",
         "A block device 254:0 is the first disk of many virtual machines; the number is given when the "
         "driver is loaded. Its raw bytes hold every file of the host; a program that reads them needs no "
         "mount and no permission of any file.",
         "Documentation/admin-guide/devices.txt", "vda", device_number(254, 0)),
    disk("planted-vda-253", "planted node of a disk with a dynamic number",
         "Block device 253:0 is a virtual disk, the first volume of the device mapper, or memory that is "
         "used as disk, depending on which driver came first. In each case it is storage of the host.",
         "Documentation/admin-guide/devices.txt", "disk-253", device_number(253, 0)),
    disk("planted-sda", "planted node of the first disk",
         "A block device 8:0 is /dev/sda. Reading it gives all files of the host, its password hashes "
         "included; writing it gives the host itself at the next start.",
         "sd(4)", "sda", device_number(8, 0)),
    disk("planted-nvme", "planted node of the first extended disk number",
         "Block device 259:0 is the first of the numbers that NVMe disks and partitions beyond the fifteenth "
         "get. It is raw storage like any other disk.",
         "Documentation/admin-guide/devices.txt", "nvme", device_number(259, 0)),
    disk("planted-loop0", "planted node of the first loop device",
         "A block device 7:0 is /dev/loop0. If the host has an image mounted there it can be read raw; if "
         "not, a program can attach a file of its own and offer the kernel a crafted file system.",
         "loop(4)", "loop0", device_number(7, 0)),
    node("planted-loop-control", "planted node that makes loop devices",
         "A character device 10:237 is /dev/loop-control. It adds and removes loop devices for the whole "
         "host, the first step to mount a crafted file system image.",
         "loop(4)", "loop-control", device_number(10, 237)),
    node("planted-mapper", "planted node of the device mapper",
         "A character device 10:236 is /dev/mapper/control. It lists, makes and replaces the host's mapped "
         "disks: volumes, encryption, snapshots.",
         "dmsetup(8)", "mapper-control", device_number(10, 236)),
    node("planted-btrfs-control", "planted node of the btrfs driver",
         "A character device 10:234 is /dev/btrfs-control. A program can make the kernel scan a device for a "
         "btrfs file system, whose parser then reads what the program wrote.",
         "btrfs-device(8)", "btrfs-control", device_number(10, 234)),
    node("planted-fuse", "planted node of file systems in programs",
         "A character device 10:229 is /dev/fuse. Its holder answers the kernel's file system requests, "
         "makes any access to it last as long as it likes, and widens races in the kernel by that.",
         "fuse(4)", "fuse", device_number(10, 229)),
    node("planted-autofs", "planted node of the automounter",
         "A character device 10:235 is /dev/autofs. It controls automount points by number, also those that "
         "others have set up.",
         "Documentation/filesystems/autofs-mount-control.rst", "autofs", device_number(10, 235)),
};

constexpr Probe kVirtual[] = {
    node("planted-kvm", "planted node of the hypervisor",
         "A character device 10:232 is /dev/kvm. It gives the large interface that makes virtual machines, "
         "with a history of errors that a plain program could use, such as CVE-2021-22543.",
         "CVE-2021-22543", "kvm", device_number(10, 232)),
    node("planted-tun", "planted node of network tunnels",
         "A character device 10:200 is /dev/net/tun. With CAP_NET_ADMIN in any network namespace it makes "
         "interfaces whose packets the program writes itself, past the socket interface.",
         "Documentation/networking/tuntap.rst", "tun", device_number(10, 200)),
    node("planted-vhost-net", "planted node of the in-kernel network backend",
         "A character device 10:238 is /dev/vhost-net: a thread in the kernel that works on rings in the "
         "program's memory. CVE-2019-14835 was a buffer overflow in it that guests could reach.",
         "CVE-2019-14835", "vhost-net", device_number(10, 238)),
    node("planted-vhost-vsock", "planted node of sockets between machines",
         "A character device 10:241 is /dev/vhost-vsock. A program that has it poses as a virtual machine "
         "and talks to the host's vsock services, which no network namespace divides.",
         "vsock(7)", "vhost-vsock", device_number(10, 241)),
    node("planted-vfio", "planted node of devices for programs",
         "A character device 10:196 is /dev/vfio/vfio, the way to real hardware from a program. With a group "
         "of devices it gives registers, interrupts and direct memory access of PCI devices.",
         "Documentation/driver-api/vfio.rst", "vfio", device_number(10, 196)),
    node("planted-uinput", "planted node that makes keyboards",
         "A character device 10:223 is /dev/uinput. Its holder makes a keyboard and types on the host's "
         "console and desktop.",
         "Documentation/input/uinput.rst", "uinput", device_number(10, 223)),
    node("planted-input", "planted node of the first input device",
         "A character device 13:64 is /dev/input/event0. Reading it sees every key that is pressed at the "
         "machine, passwords included.",
         "Documentation/input/input.rst", "event0", device_number(13, 64)),
    node("planted-rfkill", "planted node of the radio switches",
         "A character device 10:242 is /dev/rfkill. One write switches the wireless network of the host off.",
         "Documentation/driver-api/rfkill.rst", "rfkill", device_number(10, 242)),
    node("planted-fb0", "planted node of the screen's memory",
         "A character device 29:0 is /dev/fb0. It reads what is on the host's screen and paints over it; its "
         "ioctls have had errors in the bounds of modes and fonts.",
         "Documentation/fb/framebuffer.rst", "fb0", device_number(29, 0)),
    node("planted-sound", "planted node of the sound card's control",
         "A character device 116:0 is /dev/snd/controlC0. With it come the volume, the microphone and a part "
         "of the kernel with many ioctls.",
         "Documentation/sound", "sound", device_number(116, 0)),
    node("planted-ppp", "planted node of the modem protocol",
         "A character device 108:0 is /dev/ppp. It makes point-to-point interfaces, and its drivers autoload "
         "line disciplines and compressors that hardly anybody uses or checks.",
         "Documentation/networking/ppp_generic.rst", "ppp", device_number(108, 0)),
    seen("planted-dri", "planted node of the graphics card",
         "A character device 226:0 is /dev/dri/card0. Who opens it first is its master, and gets the very "
         "large interface of a graphics driver. The probe looks whether it could be opened.",
         "drm(7)", "card0", device_number(226, 0)),
    seen("planted-watchdog", "planted node of the watchdog",
         "A character device 10:130 is /dev/watchdog. Opening it arms a timer which resets the machine "
         "unless it is fed, so that the probe looks only whether it could be opened.",
         "Documentation/watchdog/watchdog-api.rst", "watchdog", device_number(10, 130)),
    seen("planted-snapshot", "planted node of hibernation",
         "A character device 10:231 is /dev/snapshot. It reads and replaces the image of all memory with "
         "which a machine sleeps, and freezes every process. The probe looks only whether it could be "
         "opened.",
         "Documentation/power/userland-swsusp.rst", "snapshot", device_number(10, 231)),
};

constexpr Probe kScreens[] = {
    seen("planted-console", "planted node of the system console",
         "A character device 5:1 is /dev/console: messages of the kernel and of the service manager go "
         "there, and someone may be logged in on it. The probe looks only whether it could be opened.",
         "console(4)", "console", device_number(5, 1)),
    node("planted-tty0", "planted node of the active virtual console",
         "A character device 4:0 is the virtual console that is shown. From it screens are switched, "
         "keyboards remapped, and text that others see is read.",
         "console_ioctl(2)", "tty0", device_number(4, 0)),
    node("planted-tty1", "planted node of the first virtual console",
         "A character device 4:1 is /dev/tty1, where somebody logs in at the machine. Its reader takes the "
         "key strokes, passwords included, from the login program.",
         "console(4)", "tty1", device_number(4, 1)),
    node("planted-vcs", "planted node of the screen's text",
         "A character device 7:0 is /dev/vcs: the text of the active virtual console. It can be read without "
         "being on that console.",
         "vcs(4)", "vcs", device_number(7, 0)),
    node("planted-vcsa", "planted node of the screen's text and colours",
         "A character device 7:128 is /dev/vcsa: as vcs, with cursor and attributes. Whoever may write draws "
         "a login prompt of his own.",
         "vcs(4)", "vcsa", device_number(7, 128)),
};

}  // namespace

std::span<const Probe> planted_memory_nodes() { return kMemory; }
std::span<const Probe> planted_disk_nodes() { return kDisks; }
std::span<const Probe> planted_machine_nodes() { return kVirtual; }
std::span<const Probe> planted_screen_nodes() { return kScreens; }

}  // namespace immure::probes
