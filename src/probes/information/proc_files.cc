// Files of /proc that tell of the whole machine.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

Attempt tells(const Yard&, const Probe& row) {
  static char text[4096];
  int fd = open(row.word, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return stopped("open");
  ssize_t n = read(fd, text, sizeof text - 1);
  if (n < 0) return stopped("read");
  text[n] = '\0';
  text[std::strcspn(text, "\n")] = '\0';
  if (n == 0) return stopped("read", ENODATA);
  return exposed("%s begins: %.60s", row.word, row.number != 0 ? "(bytes)" : text);
}

// The counters of single interrupts on the line "intr", behind their sum.
Attempt interrupts_in_stat(const Yard&, const Probe&) {
  static char text[1 << 17];
  if (read_text("/proc/stat", text, sizeof text) < 0) return stopped("open");
  char* at = std::strstr(text, "\nintr ");
  if (at == nullptr) return stopped("read", ENOMSG);
  char* end = at + 6;
  std::strtoull(end, &end, 10);
  int used = 0;
  while (*end == ' ') used += std::strtoull(end, &end, 10) != 0;
  if (used == 0) return stopped("read", ENOMSG);
  return exposed("/proc/stat counts %d interrupts one by one", used);
}

// Alarms are what makes the folder dangerous: opened for writing, nothing is written.
Attempt pressure(const Yard&, const Probe& row) {
  int fd = open(row.word, O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return stopped("open");
  close(fd);
  return exposed("%s can be opened to set alarms", row.word);
}

constexpr uint32_t kBy = by(Layer::Mounts);
constexpr Control kFull = loosened("--weaken proc-full");

constexpr Probe kMachineFiles[] = {
    {"proc-cmdline", Category::Information, "the kernel's command line",
     "Reads what the kernel was started with. It names the disk, the protections that were switched off, and "
     "now and then a password.",
     "proc(5), /proc/cmdline", kBy, Proof::None, kFull, tells, kPlain, "/proc/cmdline"},
    {"proc-interrupts", Category::Information, "the interrupts, by device and processor",
     "Reads how often each device interrupted. What others do at the machine can be told from the times of "
     "interrupts, as was shown in 2016.",
     "proc(5), /proc/interrupts; Diao et al., No Pardon for the Interruption, 2016", kBy, Proof::None, kFull,
     tells, kPlain, "/proc/interrupts"},
    {"proc-stat-interrupts", Category::Information, "the interrupts, one by one, in /proc/stat",
     "Reads the counters of single interrupts from the line intr of /proc/stat. They are those of "
     "/proc/interrupts without the names, and time others as well; tools need only the processors' lines of "
     "the file.",
     "proc(5), /proc/stat", kBy, Proof::None, kBare, interrupts_in_stat},
    {"proc-diskstats", Category::Information, "the work of the disks",
     "Reads how much each disk reads and writes. It names the disks and tells what others do.",
     "proc(5), /proc/diskstats", kBy, Proof::None, kFull, tells, kPlain, "/proc/diskstats"},
    {"proc-partitions", Category::Information, "the disks and their parts",
     "Reads the numbers, sizes and names of all disks: what to make a device node of. With a capability too "
     "many the next step is mknod.",
     "proc(5), /proc/partitions", kBy, Proof::None, kFull, tells, kPlain, "/proc/partitions"},
    {"proc-zoneinfo", Category::Information, "the zones of memory",
     "Reads the state of the memory's zones, page by page kind. Attacks on memory use it to see what their "
     "allocations do.",
     "proc(5), /proc/zoneinfo", kBy, Proof::None, kFull, tells, kPlain, "/proc/zoneinfo"},
    {"proc-buses", Category::Information, "the devices on the buses",
     "Reads the list of devices on the machine's buses, with the addresses of their memory. The numbers say "
     "which drivers, and so which of their bugs, are there.",
     "proc(5), /proc/bus", kBy, Proof::None, kFull, tells, kPlain, "/proc/bus/pci/devices"},
    {"proc-pressure", Category::Information, "alarms on the machine's memory pressure",
     "Opens the measure of the machine's pressure for writing, which sets an alarm. Newer kernels let "
     "everybody do so; the memory and the work for it are the kernel's and charged to nobody, and the "
     "measure tells what others do.",
     "Documentation/accounting/psi.rst", kBy, Proof::None, kFull, pressure, kPlain, "/proc/pressure/memory"},
};

}  // namespace

std::span<const Probe> machine_files() { return kMachineFiles; }

}  // namespace immure::probes
