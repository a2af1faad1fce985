// Mounts and namespaces: what a jail's walls are made of.
#include <linux/mount.h>
#include <linux/sched.h>
#include <sys/mount.h>

#include <cstring>

#include "watch/detect/table.h"

namespace immure::watch {
namespace {

constexpr Severity kNotice = Severity::Notice, kLow = Severity::Low, kMedium = Severity::Medium;
constexpr uint64_t kNewTime = 0x80;

// ---- mounts

template <uint64_t set, uint64_t unset = 0>
bool flags(const Event& event) {
  return (event.flags & set) == set && (event.flags & unset) == 0;
}
bool is_type(const Event& event, std::string_view type) { return event.text == type; }
template <uint64_t clears>
bool clears_attribute(const Event& event) {
  uint64_t cleared = 0;
  if (event.bytes.size() < 16) return false;
  std::memcpy(&cleared, event.bytes.data() + 8, sizeof cleared);
  return (cleared & clears) != 0;
}
bool shares(const Event& event) {
  uint64_t propagation = 0;
  if (event.bytes.size() < 24) return false;
  std::memcpy(&propagation, event.bytes.data() + 16, sizeof propagation);
  return propagation == MS_SHARED;
}
bool is_root(const Event& event) { return event.path == "/" || event.second == "/"; }

// What a remount takes away is not in the call: what it leaves out may not have been there before.
constexpr Step kMountSteps[] = {
    calls("mount-sysfs", kLow, "mount", "mounts sysfs", [](const Event& e) { return is_type(e, "sysfs"); }),
    calls("mount-cgroup2", kLow, "mount", "mounts the tree of control groups",
          [](const Event& e) { return is_type(e, "cgroup2") || is_type(e, "cgroup"); }),
    calls("mount-devtmpfs", kMedium, "mount", "mounts the host's devices",
          [](const Event& e) { return is_type(e, "devtmpfs"); }),
    calls("mount-overlay", kLow, "mount", "mounts an overlay",
          [](const Event& e) { return is_type(e, "overlay"); }),
    calls("mount-proc", kLow, "mount", "mounts a fresh /proc",
          [](const Event& e) { return is_type(e, "proc"); }),
    calls("mount-devpts", kLow, "mount", "mounts a devpts",
          [](const Event& e) { return is_type(e, "devpts"); }),
    calls("mount-mqueue", kLow, "mount", "mounts the message queues",
          [](const Event& e) { return is_type(e, "mqueue"); }),
    calls("mount-tmpfs", kLow, "mount", "mounts a tmpfs", [](const Event& e) { return is_type(e, "tmpfs"); }),
    calls("binfmt-own-mount", kMedium, "mount", "mounts the register of binary formats",
          [](const Event& e) { return is_type(e, "binfmt_misc"); }),
    calls("userns-fuse", kLow, "mount", "mounts a file system that a program serves",
          [](const Event& e) { return is_type(e, "fuse") || is_type(e, "fuseblk"); }),
    calls("mount-root-disk", kMedium, "mount", "mounts a disk",
          [](const Event& e) { return fits(e.path, "/dev/*") && (e.flags & (MS_BIND | MS_MOVE)) == 0; }),
    calls("remount-writable", kLow, "mount", "remounts without the read-only flag",
          flags<MS_REMOUNT, MS_RDONLY>),
    calls("remount-set-uid", kLow, "mount", "remounts without nosuid", flags<MS_REMOUNT, MS_NOSUID>),
    calls("remount-devices", kLow, "mount", "remounts without nodev", flags<MS_REMOUNT, MS_NODEV>),
    calls("remount-executable", kLow, "mount", "remounts without noexec", flags<MS_REMOUNT, MS_NOEXEC>),
    calls("mount-shared", kLow, "mount", "makes mounts shared", flags<MS_SHARED, 0>),
    calls("mount-bind", kLow, "mount", "mounts a folder at another place", flags<MS_BIND, MS_REMOUNT>),
    calls("mount-tmpfs", kNotice, "mount", "changes mounts", [](const Event& e) { return e.flags != 0; }),
    calls("umount-root", kMedium, "umount2 umount", "takes the root's own mount away", is_root),
    calls("umount-covers", kLow, "umount2 umount", "takes a mount away"),
    calls("pivot-root-again", kMedium, "pivot_root", "exchanges the root"),
    calls("mount-root-disk", kMedium, "fsconfig", "gives a new mount a disk to be made of",
          [](const Event& e) { return e.text == "source" && fits(e.path, "/dev/*"); }),
    calls("open-tree-clone", kLow, "open_tree", "takes a copy of mounts as a descriptor",
          [](const Event& e) { return (e.flags & OPEN_TREE_CLONE) != 0; }),
    calls("open-tree-attr", kLow, "open_tree_attr", "takes a copy of mounts with other flags"),
    calls("fsopen", kLow, "fsopen", "opens a file system to be mounted"),
    calls("fsmount", kLow, "fsmount", "makes a mount of an opened file system"),
    calls("fspick", kLow, "fspick", "takes a mounted file system to be changed"),
    calls("move-mount", kLow, "move_mount", "attaches or moves a mount"),
    calls("setattr-writable", kLow, "mount_setattr", "takes the read-only flag from mounts",
          clears_attribute<MOUNT_ATTR_RDONLY>),
    calls("setattr-set-uid", kLow, "mount_setattr", "takes nosuid from mounts",
          clears_attribute<MOUNT_ATTR_NOSUID>),
    calls("mount-shared", kLow, "mount_setattr", "makes mounts shared", shares),
    calls("mount-namespace-steps", kLow, "listmount statmount listns",
          "asks for mounts or namespaces by their numbers"),
};

extern const Detector kMounts;
const Detector kMounts = {
    "mounts",
    kLow,
    "mounts made, changed or taken away",
    "Who may mount can lay files over others, open the host's devices and control groups, and take read-only "
    "and nosuid away. Package builds, containers and systems that start do it as their work.",
    "mount(2); fsopen(2); mount_setattr(2); T1611",
    "mount-* remount-* setattr-* umount-* open-tree-* fsopen fsmount fspick move-mount pivot-root-again "
    "userns-fuse userns-overlay userns-mount binfmt-own-mount posix-queue-mount release-agent-own",
    bit(Kind::Mount) | bit(Kind::Namespace),
    start_steps<kMounts, kMountSteps>};

// ---- namespaces

template <uint64_t set>
bool all_of_new(const Event& event) {
  return (event.flags & set) == set;
}
uint64_t clone3_flags(const Event& event) {
  uint64_t value = 0;
  if (event.bytes.size() >= sizeof value) std::memcpy(&value, event.bytes.data(), sizeof value);
  return value;
}
constexpr uint64_t kBoth = CLONE_NEWUSER | CLONE_NEWNS;
constexpr uint64_t kEveryNew =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

constexpr Step kNamespaceSteps[] = {
    calls("cgroup-own-mount", kLow, "unshare", "asks for own user, mount and control group namespaces",
          all_of_new<kBoth | CLONE_NEWCGROUP>),
    calls("userns-mqueue", kLow, "unshare", "asks for own user, mount and IPC namespaces",
          all_of_new<kBoth | CLONE_NEWIPC>),
    calls("userns-mount", kLow, "unshare", "asks for own user and mount namespaces", all_of_new<kBoth>),
    calls("userns-nftables", kLow, "unshare", "asks for an own user namespace and a network in it",
          all_of_new<CLONE_NEWUSER | CLONE_NEWNET>),
    calls("userns-unshare", kLow, "unshare", "asks for a user namespace", all_of_new<CLONE_NEWUSER>),
    calls("unshare-user", kLow, "unshare", "asks for a user namespace", all_of_new<CLONE_NEWUSER>),
    calls("unshare-mount", kLow, "unshare", "asks for a mount namespace", all_of_new<CLONE_NEWNS>),
    calls("unshare-process", kLow, "unshare", "asks for a namespace of processes", all_of_new<CLONE_NEWPID>),
    calls("unshare-network", kLow, "unshare", "asks for a network of its own", all_of_new<CLONE_NEWNET>),
    calls("unshare-ipc", kLow, "unshare", "asks for a namespace of queues", all_of_new<CLONE_NEWIPC>),
    calls("unshare-names", kLow, "unshare", "asks for a namespace of names", all_of_new<CLONE_NEWUTS>),
    calls("unshare-groups", kLow, "unshare", "asks for a namespace of control groups",
          all_of_new<CLONE_NEWCGROUP>),
    calls("unshare-clocks", kLow, "unshare", "asks for a namespace of clocks", all_of_new<kNewTime>),
    calls("userns-clone-high", kMedium, "clone", "asks for a user namespace with bits above the flags' 32",
          [](const Event& e) { return all_of_new<CLONE_NEWUSER>(e) && e.args[0] >> 32 != 0; }),
    calls("userns-clone", kLow, "clone", "makes a process in a user namespace of its own",
          all_of_new<CLONE_NEWUSER>),
    calls("clone-user", kLow, "clone", "makes a process in a user namespace", all_of_new<CLONE_NEWUSER>),
    calls("clone-mount", kLow, "clone", "makes a process in a mount namespace", all_of_new<CLONE_NEWNS>),
    calls("clone-process", kLow, "clone", "makes a process in a namespace of processes",
          all_of_new<CLONE_NEWPID>),
    calls("clone-network", kLow, "clone", "makes a process in a network of its own",
          all_of_new<CLONE_NEWNET>),
    calls("clone-ipc", kLow, "clone", "makes a process in a namespace of queues", all_of_new<CLONE_NEWIPC>),
    calls("clone-names", kLow, "clone", "makes a process in a namespace of names", all_of_new<CLONE_NEWUTS>),
    calls("clone-groups", kLow, "clone", "makes a process in a namespace of control groups",
          all_of_new<CLONE_NEWCGROUP>),
    calls("clone-sibling", kNotice, "clone", "makes a process that is its parent's child",
          [](const Event& e) { return (e.flags & CLONE_PARENT) != 0 && (e.flags & CLONE_THREAD) == 0; }),
    calls("userns-clone3", kLow, "clone3", "makes a process in a user namespace of its own",
          [](const Event& e) { return (clone3_flags(e) & CLONE_NEWUSER) != 0; }),
    calls("clone3-user", kLow, "clone3", "makes a process in a user namespace of its own",
          [](const Event& e) { return (clone3_flags(e) & CLONE_NEWUSER) != 0; }),
    calls("clone3", kLow, "clone3", "makes a process in namespaces of its own",
          [](const Event& e) { return (clone3_flags(e) & kEveryNew) != 0; }),
    calls("clone3", kNotice, "clone3", "asks for a process by clone3 and is refused",
          [](const Event& e) { return stopped(e) && clone3_flags(e) == 0; }),
    calls("enter-by-descriptor", kMedium, "setns", "enters several namespaces at once",
          [](const Event& e) { return (e.flags & (e.flags - 1)) != 0; }),
    calls("enter-mounts", kMedium, "setns", "enters a mount namespace", all_of_new<CLONE_NEWNS>),
    calls("setns", kMedium, "setns", "enters a namespace"),
    file("enter-mounts", kLow, Use::Read, "/proc/#/ns/*", "opens a namespace of another process"),
    file("setns-own-proc", kNotice, Use::Read, "/proc/self/ns/* /proc/thread-self/ns/*",
         "opens one of its own namespaces"),
    calls("mount-namespace-steps", kLow, "ioctl", "steps from one namespace to others",
          [](const Event& e) { return ((e.args[1] >> 8) & 0xff) == 0xb7; }),
};

extern const Detector kNamespaces;
const Detector kNamespaces = {
    "namespaces",
    kLow,
    "namespaces made or entered",
    "A namespace of its own gives a process every capability in it, and with them the kernel's code for mounts, "
    "packet filters and packets; one that is entered is where somebody else lives. Browsers, package builds and "
    "containers make them as their work; entering those of others is done by tools that manage containers.",
    "unshare(2); setns(2); user_namespaces(7); T1611",
    "userns-* unshare-* clone-* clone3 clone3-* enter-* setns setns-* mount-userns mount-namespace-steps "
    "cgroup-own-mount release-agent-own binfmt-own-mount leaked-namespace leaked-pidfd-enter user-namespaces "
    "network-namespaces posix-queue-mount",
    bit(Kind::Namespace) | bit(Kind::Process) | bit(Kind::File) | bit(Kind::Device) | bit(Kind::Mount),
    start_steps<kNamespaces, kNamespaceSteps>};

constexpr StepDetector kRootDetectors[] = {{&kMounts, kMountSteps}, {&kNamespaces, kNamespaceSteps}};

}  // namespace

std::span<const StepDetector> root_detectors() { return kRootDetectors; }

}  // namespace immure::watch
