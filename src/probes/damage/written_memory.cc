// The machine's memory and its input and output ports.
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "probes/damage/harm.h"
#include "probes/devices/node.h"
#include "probes/planted.h"

namespace immure::probes {
namespace {

constexpr char kNodeName[] = "expendable-memory";

Attempt write_memory(const Yard& yard, const char* node) {
  if (!write_at(node, kMark, static_cast<long>(yard.memory_at))) return stopped("write to the memory");
  return escaped("the node of the memory took it");
}

Attempt by_planted_node(const Yard& yard, const Probe& row) {
  char path[256], name[64];
  std::snprintf(name, sizeof name, "%s%s", kNode, row.word);
  if (!planted_path(yard, name, path, sizeof path)) return not_applicable("no node is planted");
  return write_memory(yard, path);
}

Attempt by_made_node(const Yard& yard, const Probe& row) {
  char path[256];
  if (!scratch_path(yard, "mem", path, sizeof path)) return not_applicable("nothing is writable for a node");
  if (mknod(path, S_IFCHR | 0600, static_cast<dev_t>(row.number)) != 0) return stopped("mknod");
  Attempt attempt = write_memory(yard, path);
  unlink(path);
  return attempt;
}

// The reset register of the chip set: 6 is a hard reset.
constexpr unsigned short kResetPort = 0xcf9;
constexpr unsigned char kHardReset = 6;

Attempt reset(const Yard&, const Probe&) {
  if (iopl(3) != 0) return stopped("iopl");
  sync();
  outb(kHardReset, kResetPort);
  return stopped("outb");
}

Attempt take_all(const Yard&, const Probe&) {
  constexpr size_t kStep = 16U << 20, kPage = 4096;
  for (;;) {
    void* memory = mmap(nullptr, kStep, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return stopped("mmap");
    for (size_t at = 0; at < kStep; at += kPage) static_cast<volatile char*>(memory)[at] = 1;
  }
}

constexpr uint32_t kByNode = by(Layer::UserNs, Layer::Capabilities, Layer::Mounts, Layer::Devices);

constexpr Probe kWrittenMemory[] = {
    harm(
        "damage-memory", "write the machine's memory by a planted node",
        "Writes through a device node 1:1 that was left in the root. Kernels with STRICT_DEVMEM let it reach "
        "what is not their own memory only; the bytes written are some that memmap= kept from the kernel.",
        "mem(4)", by(Layer::Mounts, Layer::UserNs), by_planted_node, kNodeName, kPlantedByRoot,
        device_number(1, 1)),
    harm("damage-memory-made", "write the machine's memory by an own node",
         "Makes the device node 1:1 and writes the machine's memory through it. By that a program without "
         "any other way out changes what it likes of every other.",
         "mem(4), mknod(2)", kByNode, by_made_node, kNodeName, kPlain, device_number(1, 1)),
    harm("damage-port-reset", "reset the machine by a port",
         "Asks iopl for all ports and writes to the reset register of the chip set. No system call is left "
         "between the program and the hardware then, disks and network cards included.",
         "iopl(2)", by(Layer::Seccomp, Layer::Capabilities, Layer::UserNs), reset, "", kFatal),
    harm("damage-all-memory", "take all memory until the kernel gives up",
         "Takes memory without end. On a machine with vm.panic_on_oom the kernel ends itself when all is "
         "gone; a limit of a jail's own is reached before that, and concerns nobody else.",
         "sysctl vm.panic_on_oom", by(Layer::Cgroup, Layer::Rlimits), take_all, "", kFatal | kSolo),
};

}  // namespace

std::span<const Probe> written_memory() { return kWrittenMemory; }

}  // namespace immure::probes
