// The calls that make and move mounts piece by piece, and pivot_root.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"
#include "uapi/kernel.h"

namespace immure::probes {
namespace {

int open_context(const char* type) {
  return static_cast<int>(syscall(SYS_fsopen, type, uapi::kFsopenCloexec));
}

Attempt clone_tree(const Yard&, const Probe&) {
  // A detached copy belongs to the descriptor and goes with it.
  return door("open_tree",
              syscall(SYS_open_tree, AT_FDCWD, "/", uapi::kOpenTreeClone | uapi::kAtRecursive | O_CLOEXEC));
}

Attempt open_file_system(const Yard&, const Probe&) { return door("fsopen", open_context("tmpfs")); }

Attempt whole_chain(const Yard&, const Probe&) {
  int context = open_context("tmpfs");
  if (context < 0) return stopped("fsopen");
  if (syscall(SYS_fsconfig, context, uapi::kFsconfigCreate, nullptr, nullptr, 0) != 0)
    return stopped("fsconfig");
  int made = static_cast<int>(syscall(SYS_fsmount, context, uapi::kFsmountCloexec, 0));
  if (made < 0) return stopped("fsmount");
  // A file system that nothing is mounted over, in which the program writes with no path at all.
  int fd = openat(made, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  return fd < 0 ? stopped("openat") : exposed("a file system of its own, by descriptor alone");
}

Attempt pick(const Yard&, const Probe&) { return door("fspick", syscall(SYS_fspick, AT_FDCWD, "/", 1)); }

Attempt move(const Yard&, const Probe&) {
  return door("move_mount",
              syscall(SYS_move_mount, -1, "", -1, "", uapi::kMoveMountFromEmpty | uapi::kMoveMountToEmpty));
}

Attempt set_propagation(const Yard& yard, const Probe&) {
  if (!own_mounts(yard)) return stopped("unshare");
  uapi::MountAttr attributes{0, 0, MS_SHARED, 0};
  return door("mount_setattr",
              syscall(SYS_mount_setattr, AT_FDCWD, "/", uapi::kAtRecursive, &attributes, sizeof attributes));
}

Attempt tree_with_attributes(const Yard&, const Probe&) {
  constexpr long kOpenTreeAttr = 467;
  uapi::MountAttr attributes{0, uapi::kAttrRdonly, 0, 0};
  return door("open_tree_attr", syscall(kOpenTreeAttr, AT_FDCWD, "/", uapi::kOpenTreeClone | O_CLOEXEC,
                                        &attributes, sizeof attributes));
}

// A bind of the root on a folder of its own becomes the root, and the old one is put below it.
Attempt pivot_again(const Yard& yard, const Probe&) {
  if (!own_mounts(yard)) return stopped("unshare");
  char folder[128];
  if (!scratch_path(yard, "pivot", folder, sizeof folder) || mkdir(folder, 0700) != 0)
    return door("pivot_root", syscall(SYS_pivot_root, ".", "."));
  long result = mount("/", folder, nullptr, MS_BIND | MS_REC, nullptr);
  Attempt attempt = stopped("mount");
  int there = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (result == 0) {
    result = fchdir(there) != 0 ? -1 : syscall(SYS_pivot_root, ".", ".");
    attempt =
        result == 0 ? exposed("the root was exchanged, the old one lies below it") : stopped("pivot_root");
    if (result == 0)
      umount2(".", MNT_DETACH);
    else
      umount2(folder, MNT_DETACH);
  } else if (errno != EPERM && errno != EACCES) {
    attempt = door("pivot_root", syscall(SYS_pivot_root, ".", "."));
  }
  rmdir(folder);
  return attempt;
}

constexpr uint32_t kWalls = by(Layer::Capabilities, Layer::Seccomp);
constexpr Control kLoose =
    loosened("--cap-add sys_admin --allow-syscall @mount,@namespaces --need landlock=off");
constexpr Control kCalls = loosened("--cap-add sys_admin --allow-syscall @mount");
constexpr Probe kMountCalls[] = {
    {"open-tree-clone", Category::Root, "detached copy of the root's mounts with open_tree",
     "A copy of a mount tree that belongs to a descriptor and shows in no list of mounts. Moved into place "
     "it shows what is covered, or is handed to another process as its root.",
     "open_tree(2) since 5.2", kWalls, Proof::None, kCalls, clone_tree},
    {"fsopen", Category::Root, "fsopen of a tmpfs",
     "Opens a context for a new file system. The parsing of its parameters was a hole by which any user with "
     "a user namespace became root, out of containers whose filter allowed it.",
     "fsopen(2) since 5.2, CVE-2022-0185", kWalls, Proof::None, kCalls, open_file_system},
    {"fsmount", Category::Root, "fsopen, fsconfig and fsmount of a tmpfs",
     "The whole way to a file system which is mounted nowhere and is used by its descriptor alone. It is "
     "without the size, noexec and nosuid of the folders that the jail gives, and passes filters of "
     "mount(2).",
     "fsmount(2) since 5.2", kWalls | by(Layer::Landlock), Proof::None, kLoose, whole_chain},
    {"fspick", Category::Root, "fspick of the root's file system",
     "Opens the file system of the root for a change of its options, which is a remount for everybody who "
     "has it mounted, the host too. It asks for CAP_SYS_ADMIN where the file system was mounted.",
     "fspick(2) since 5.2", kWalls, Proof::None, kCalls, pick},
    {"move-mount", Category::Root, "move_mount with descriptors that are none",
     "move_mount attaches a detached tree, or takes a mount from one place to another. The probe passes "
     "descriptors that do not exist, which the kernel sees after it has looked at the caller's rights.",
     "move_mount(2) since 5.2", kWalls | by(Layer::Landlock), Proof::None, kCalls, move},
    {"mount-shared", Category::Root, "mounts made shared with mount_setattr",
     "Mounts in a peer group pass on what is mounted in one of them to all others. A jail that receives or "
     "hands on such events sees, or makes, mounts outside.",
     "mount_setattr(2), mount_namespaces(7)", kWalls | by(Layer::Landlock), Proof::None, kLoose,
     set_propagation},
    {"open-tree-attr", Category::Root, "copy of the root with other flags by open_tree_attr",
     "One call of Linux 6.15 that copies a mount and changes the copy's flags, such as read-only, before "
     "anybody sees it. A filter older than the kernel lets it pass unless it denies what it does not know.",
     "open_tree_attr(2), fs/namespace.c since 6.15", kWalls, Proof::None, kCalls, tree_with_attributes},
    {"pivot-root-again", Category::Root, "pivot_root once more",
     "The call that made the root exchanges it again: a tree of the attacker's becomes the root. Where the "
     "old root was not detached it comes back from below.",
     "pivot_root(2)", kWalls | by(Layer::Landlock), Proof::None, kLoose, pivot_again},
};

}  // namespace

std::span<const Probe> mount_calls() { return kMountCalls; }

}  // namespace immure::probes
