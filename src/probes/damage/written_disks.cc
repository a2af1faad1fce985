// The raw bytes of a disk: a memory disk of the machine's, on which nothing is.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "probes/damage/harm.h"
#include "probes/devices/node.h"
#include "probes/planted.h"

namespace immure::probes {
namespace {

constexpr char kNodeName[] = "expendable-disk";

Attempt by_planted_node(const Yard& yard, const Probe& row) {
  char path[256], name[64];
  std::snprintf(name, sizeof name, "%s%s", kNode, row.word);
  if (!planted_path(yard, name, path, sizeof path)) return not_applicable("no node is planted");
  return put(path, kMark) ? escaped("the disk took it") : stopped("write to the disk");
}

Attempt by_made_node(const Yard& yard, const Probe& row) {
  char path[256];
  if (!scratch_path(yard, "disk", path, sizeof path)) return not_applicable("nothing is writable for a node");
  if (mknod(path, S_IFBLK | 0600, static_cast<dev_t>(row.number)) != 0) return stopped("mknod");
  Attempt attempt = put(path, kMark) ? escaped("the disk took it") : stopped("write to the disk");
  unlink(path);
  return attempt;
}

Attempt by_hosts_node(const Yard&, const Probe&) {
  return put("/dev/ram0", kMark) ? escaped("the disk took it") : stopped("write to the disk");
}

constexpr uint32_t kByNode = by(Layer::UserNs, Layer::Capabilities, Layer::Mounts, Layer::Devices);

constexpr Probe kWrittenDisks[] = {
    harm("damage-disk", "write a disk by a planted node",
         "Writes over the first bytes of a disk of the machine's, through a device node that was left in the "
         "root. What a disk holds can be read, changed and destroyed this way, whatever its files' modes.",
         "mknod(2)", by(Layer::Mounts, Layer::UserNs), by_planted_node, kNodeName,
         kPlantedByRoot | kBlockNode, device_number(1, 0)),
    harm("damage-disk-made", "write a disk by an own node",
         "Makes the node of a disk by its number and writes over its first bytes. The disk is one in memory, "
         "which the machine was given for that.",
         "mknod(2)", kByNode, by_made_node, kNodeName, kPlain, device_number(1, 0)),
    harm("damage-disk-host", "write a disk by the host's own node",
         "Writes over the first bytes of a disk through /dev/ram0, where the host's /dev is in sight. A "
         "program with the host's /dev needs nothing else.",
         "ram(4)", by(Layer::Devices, Layer::Root, Layer::UserNs), by_hosts_node, kNodeName),
};

}  // namespace

std::span<const Probe> written_disks() { return kWrittenDisks; }

}  // namespace immure::probes
