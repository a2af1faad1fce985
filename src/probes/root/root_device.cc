// The device below the file system: who reads it needs no path.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "probes/inside.h"

namespace immure::probes {
namespace {

// The yard's folder is on it; where that is in memory, what is mounted at the root, or at /usr. 0: on no
// disk. It is never one that nobody has mounted yet, since the first mount writes also when it is read-only.
dev_t find_device(const Yard& yard) {
  if (major(static_cast<dev_t>(yard.device)) != 0) return static_cast<dev_t>(yard.device);
  for (const char* path : {"/", "/usr", "/etc", "/etc/hosts", "/etc/ld.so.cache"}) {
    struct stat st;
    if (stat(path, &st) == 0 && major(st.st_dev) != 0) return st.st_dev;
  }
  return 0;
}

bool make_node(const Yard& yard, char* node, size_t size, Attempt& attempt) {
  if (!scratch_path(yard, "disk", node, size)) {
    attempt = not_applicable("nothing is writable for a node");
    return false;
  }
  if (find_device(yard) == 0) {
    attempt = not_applicable("no file that shows here is on a disk");
    return false;
  }
  if (mknod(node, S_IFBLK | 0600, find_device(yard)) == 0) return true;
  attempt = stopped("mknod");
  return false;
}

Attempt read_device(const Yard& yard, const Probe&) {
  char node[128];
  Attempt attempt;
  if (!make_node(yard, node, sizeof node, attempt)) return attempt;
  int fd = open(node, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  attempt =
      fd < 0 ? stopped("open") : exposed("the disk below the root can be read past every file's rights");
  if (fd >= 0) close(fd);
  unlink(node);
  return attempt;
}

// Read-only: at home the kernel finds it busy, after it has looked at the rights.
Attempt mount_device(const Yard& yard, const Probe&) {
  if (!own_mounts(yard)) return stopped("unshare");
  char node[128], folder[128];
  Attempt attempt;
  if (!make_node(yard, node, sizeof node, attempt)) return attempt;
  attempt = not_applicable("no type of file system fits the disk below the root");
  scratch_path(yard, "disk-mount", folder, sizeof folder);
  mkdir(folder, 0700);
  for (const char* type : {"ext4", "xfs", "btrfs"}) {
    if (mount(node, folder, type, MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr) == 0) {
      attempt = exposed("the disk below the root was mounted");
      umount2(folder, MNT_DETACH);
      break;
    }
    if (errno == EBUSY) {
      attempt = exposed("the disk below the root can be mounted: mount says it is in use with other options");
      break;
    }
    if (errno != EINVAL && errno != ENODEV) attempt = stopped("mount");
  }
  rmdir(folder);
  unlink(node);
  return attempt;
}

constexpr Probe kRootDevice[] = {
    {"mknod-root-disk", Category::Root, "mknod of the disk below the root, then open",
     "With CAP_MKNOD a program makes a node with the number of the disk that the host's root is on, which "
     "stat of any bound file tells, and reads or writes blocks of any file. Programs such as debugfs make it "
     "comfortable; it is the classic way of root out of chroot.",
     "mknod(2)", by(Layer::Capabilities, Layer::UserNs, Layer::Mounts, Layer::Cgroup), Proof::None, kBare,
     read_device},
    {"mount-root-disk", Category::Root, "mknod of the disk below the root, then mount",
     "The node of the host's disk, mounted in a folder of the jail: the whole root of the host, with another "
     "name. User namespaces do not mount block devices, whatever capabilities they have.",
     "mount(2), mknod(2)", by(Layer::Capabilities, Layer::UserNs, Layer::Seccomp, Layer::Landlock),
     Proof::None, kBare, mount_device},
};

}  // namespace

std::span<const Probe> root_device() { return kRootDevice; }

}  // namespace immure::probes
