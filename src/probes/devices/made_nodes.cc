// Device nodes that the program makes itself, in a folder of its own or on a file system that it mounts for
// that.
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "probes/devices/node.h"

namespace immure::probes {
namespace {

// The number of a misc device has to be looked up: those above 254 are given out as drivers come.
long misc_number(const char* name) {
  char text[4096];
  if (read_text("/proc/misc", text, sizeof text) < 0) return 0;
  for (char* line = std::strtok(text, "\n"); line != nullptr; line = std::strtok(nullptr, "\n")) {
    char* end = nullptr;
    long minor = std::strtol(line, &end, 10);
    if (end != line && *end == ' ' && std::strcmp(end + 1, name) == 0)
      return device_number(10, static_cast<unsigned>(minor));
  }
  return 0;
}

// A file system without "nodev", seen by this process alone.
bool mount_own(const char* folder) {
  return unshare(CLONE_NEWNS) == 0 && mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("none", folder, "tmpfs", 0, "size=64k") == 0;
}

Attempt make_node(const Yard& yard, const Probe& row, mode_t type, long number, Attempt (*use)(int fd)) {
  char path[128];
  if (!scratch_path(yard, "node", path, sizeof path)) return not_applicable("nothing is writable for a node");
  Attempt attempt = stopped("mknod", EACCES);
  for (bool mounted = false;; mounted = true) {
    if (mknod(path, type | 0600, static_cast<dev_t>(number)) != 0) {
      attempt = stopped("mknod");
    } else {
      int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
      attempt = stopped("open");
      if (fd >= 0) attempt = use == nullptr ? exposed("%s was made and opened", row.word) : use(fd);
      if (fd < 0 && errno == EBUSY) attempt = exposed("%s answers, though not to us now", row.word);
      if (fd >= 0) close(fd);
      unlink(path);
    }
    if (mounted || attempt.outcome != Outcome::Stopped || !mount_own(yard.scratch)) return attempt;
  }
}

Attempt make_character(const Yard& yard, const Probe& row) {
  long number = row.number != 0 ? row.number : misc_number(row.word);
  // Without its number the call is as much refused as with any.
  return make_node(yard, row, S_IFCHR, number != 0 ? number : device_number(10, 255), nullptr);
}
Attempt make_block(const Yard& yard, const Probe& row) {
  return make_node(yard, row, S_IFBLK, row.number, nullptr);
}

// The disk on which the yard is: its blocks are every file of the host.
Attempt read_disk(int fd) {
  char block[512];
  if (pread(fd, block, sizeof block, 1024) < 0) return stopped("read");
  return exposed("the raw bytes of the disk with the host's files can be read");
}
Attempt make_host_disk(const Yard& yard, const Probe& row) {
  if (yard.device <= 0 || (yard.device >> 8 & 0xfff) == 0) return not_applicable("the yard is not on a disk");
  return make_node(yard, row, S_IFBLK, static_cast<long>(yard.device), read_disk);
}

// Asks for the state of the shift keys, subcode 6: the harmless one of a call that also pastes.
Attempt ask_console(int fd) {
  char request[16] = {6};
  if (ioctl(fd, TIOCLINUX, request) < 0) return stopped("ioctl TIOCLINUX");
  return exposed("TIOCLINUX, which selects and pastes text, answers");
}
Attempt make_console(const Yard& yard, const Probe& row) {
  return make_node(yard, row, S_IFCHR, row.number, ask_console);
}

constexpr unsigned long kGetScreenMode = 0x4b3b;  // KDGETMODE
Attempt ask_mode(int fd) {
  int mode = 0;
  if (ioctl(fd, kGetScreenMode, &mode) < 0) return stopped("ioctl KDGETMODE");
  return exposed("the console's ioctls, which switch its screen and keyboard, answer");
}
Attempt make_screen(const Yard& yard, const Probe& row) {
  return make_node(yard, row, S_IFCHR, row.number, ask_mode);
}

constexpr uint32_t kStoppedBy = by(Layer::UserNs, Layer::Capabilities, Layer::Mounts, Layer::Seccomp);

constexpr Probe made(const char* id, const char* technique, const char* about, const char* reference,
                     const char* word, long number,
                     Attempt (*run)(const Yard&, const Probe&) = make_character) {
  return {id,          Category::Devices, technique, about,  reference, kStoppedBy,
          Proof::None, kNamespaced,       run,       kPlain, word,      number};
}

constexpr Probe kMadeNodes[] = {
    made("mknod-null", "mknod of a harmless device",
         "A copy of /dev/null, 1:3, does no harm. That mknod takes it, and that it opens, tells that nothing "
         "but a number stands between the program and every other device of the host.",
         "mknod(2)", "a second null", device_number(1, 3)),
    made("mknod-mem", "mknod of the physical memory",
         "The program makes a character device 1:1 where it can write, and opens it. Root in a plain chroot "
         "needs nothing else to read and change the whole machine.",
         "mem(4)", "mem", device_number(1, 1)),
    made("mknod-port", "mknod of the I/O ports",
         "The program makes a character device 1:4 and opens it. From there each I/O port of the machine can "
         "be read and written.",
         "mem(4)", "port", device_number(1, 4)),
    made("mknod-kmsg", "mknod of the kernel log",
         "The program makes a character device 1:11 and opens it. It then reads the host's kernel log, and "
         "can write into it.",
         "mknod(2)", "kmsg", device_number(1, 11)),
    made("mknod-host-disk", "mknod of the disk that holds the host's files",
         "From stat of any file the program knows the number of the disk below it. A block device of that "
         "number is the host's file system as raw bytes: the classic way from root in a chroot to root "
         "outside.",
         "mknod(2), debugfs(8)", "the host's disk", 0, make_host_disk),
    made("mknod-sda", "mknod of the first disk",
         "The program makes block device 8:0 and opens it to read. With a debugger for file systems it then "
         "takes any file of the host, whatever its mode.",
         "mknod(2), sd(4)", "sda", device_number(8, 0), make_block),
    made("mknod-loop0", "mknod of the first loop device",
         "The program makes block device 7:0 and opens it. It is an image of the host's that is attached "
         "there, or a device to which the program attaches an image of its own making.",
         "mknod(2), loop(4)", "loop0", device_number(7, 0), make_block),
    made("mknod-loop-control", "mknod of the maker of loop devices",
         "The program makes character device 10:237, by which loop devices of the host are added and "
         "removed. An image of the program's own making is then a disk of the host's.",
         "mknod(2), loop(4)", "loop-control", device_number(10, 237)),
    made("mknod-kvm", "mknod of the hypervisor",
         "The program makes character device 10:232 and has the kernel's hypervisor before it, a large "
         "interface that was not meant for a jail. Access by mode is checked at the node, and the node is "
         "the program's own.",
         "mknod(2)", "kvm", device_number(10, 232)),
    made("mknod-fuse", "mknod of file systems in programs",
         "The program makes character device 10:229. As a file system it answers the kernel when it likes, "
         "and holds up whoever comes across it.",
         "mknod(2), fuse(4)", "fuse", device_number(10, 229)),
    made("mknod-tun", "mknod of network tunnels",
         "The program makes character device 10:200, with which it then adds network interfaces to the "
         "namespace that it is in. By that it puts packets of any form before the kernel's network code.",
         "mknod(2)", "tun", device_number(10, 200)),
    made("mknod-uinput", "mknod of the maker of keyboards",
         "The program makes character device 10:223, with which it could type on the host as a keyboard "
         "would. Key strokes go to whatever has the focus, a root shell on the console too.",
         "mknod(2)", "uinput", device_number(10, 223)),
    made("mknod-tty1", "mknod of a virtual console, then its paste call",
         "The program makes character device 4:1 and asks it by TIOCLINUX. That call selects and pastes "
         "text, and by that types commands into the shell of who is logged in there.",
         "CVE-2023-28100", "tty1", device_number(4, 1), make_console),
    made("mknod-tty0", "mknod of the active console, then its modes",
         "The program makes character device 4:0 and asks for the mode of screen and keyboard. The same "
         "family of calls blanks the screen, remaps keys and locks the console.",
         "console_ioctl(2)", "tty0", device_number(4, 0), make_screen),
    made("mknod-dma-latency", "mknod of the processor's sleep demands",
         "The program makes /dev/cpu_dma_latency by the number in /proc/misc. Held open, it keeps the "
         "processors of the whole host from sleeping.",
         "Documentation/power/pm_qos_interface.rst", "cpu_dma_latency", 0),
    made("mknod-userfaultfd", "mknod of user-space page faults",
         "The program makes /dev/userfaultfd by the number in /proc/misc. Whoever has it handles page faults "
         "of the kernel too, and stops it for as long as an attack on a race needs. In the kernel since 6.1.",
         "Documentation/admin-guide/mm/userfaultfd.rst", "userfaultfd", 0),
    made("mknod-vsock", "mknod of the channel to the hypervisor",
         "The program makes /dev/vsock by the number in /proc/misc, which tells the machine's address at its "
         "hypervisor. Services on the hypervisor's side that trust the machine can then be addressed.",
         "vsock(7)", "vsock", 0),
};

}  // namespace

std::span<const Probe> made_nodes() { return kMadeNodes; }

}  // namespace immure::probes
