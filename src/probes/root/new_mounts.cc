// Mounts of one's own: the material that a root, and everything that covers the kernel's files, is made of.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

// word: the file system's type, or "bind".
Attempt try_mount(const Yard& yard, const Probe& row) {
  char folder[128], options[320] = "";
  if (!scratch_path(yard, row.word, folder, sizeof folder) || mkdir(folder, 0700) != 0)
    std::snprintf(folder, sizeof folder, "/");
  bool is_bind = std::strcmp(row.word, "bind") == 0;
  if (std::strcmp(row.word, "overlay") == 0) std::snprintf(options, sizeof options, "lowerdir=/usr:/dev");
  int result = mount(is_bind ? "/" : "none", folder, is_bind ? nullptr : row.word,
                     is_bind ? MS_BIND | MS_REC : static_cast<unsigned long>(row.number), options);
  int error = errno;
  if (result == 0) umount2(folder, MNT_DETACH);
  if (std::strcmp(folder, "/") != 0) rmdir(folder);
  errno = error;
  return result == 0 ? exposed("mounted %s", row.word) : stopped("mount");
}

Attempt as_it_is(const Yard& yard, const Probe& row) {
  if (!own_mounts(yard)) return stopped("unshare");
  return try_mount(yard, row);
}

Attempt in_a_new_user_namespace(const Yard& yard, const Probe& row) {
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS | static_cast<int>(row.number)) != 0) return stopped("unshare");
  Probe plain = row;
  plain.number = 0;
  return try_mount(yard, plain);
}

constexpr uint32_t kWalls = by(Layer::Capabilities, Layer::Seccomp, Layer::Landlock);
constexpr Control kLoose =
    loosened("--cap-add sys_admin --allow-syscall @mount,@namespaces --need landlock=off");
constexpr Probe kNewMounts[] = {
    {"mount-tmpfs", Category::Root, "mount(2) of a tmpfs",
     "An empty file system in memory over any folder: programs that trust a path of the root are then "
     "answered by the attacker's files, and no flag such as noexec or a size limit holds. The right to mount "
     "is also a wide door into the kernel.",
     "mount(2)", kWalls, Proof::None, kLoose, as_it_is, kPlain, "tmpfs"},
    {"mount-bind", Category::Root, "mount(2) of a bind of /",
     "A bind shows a part of the tree a second time, without the mounts that lay over it: what a jail "
     "covered (/proc/sys, folders with an empty one over them) comes to light. It needs CAP_SYS_ADMIN in the "
     "mount namespace, and no device.",
     "mount(2), MS_BIND", kWalls, Proof::None, kLoose, as_it_is, kPlain, "bind"},
    {"mount-proc", Category::Root, "mount(2) of a fresh /proc",
     "A fresh /proc has none of the covers and the read-only folders of the jail's: core_pattern, "
     "sysrq-trigger and the others can be written by root, and hidden processes show again. The kernel asks "
     "since 3.12 that a full one be there already, in user namespaces only.",
     "proc(5), mount(2)", kWalls | by(Layer::Mounts, Layer::UserNs), Proof::None, kLoose, as_it_is, kPlain,
     "proc"},
    {"mount-sysfs", Category::Root, "mount(2) of sysfs",
     "sysfs holds the devices, drivers, firmware paths and cgroups of the host, and for root most of it is "
     "writable: uevent_helper and several others run a program of the writer's choice outside. A user "
     "namespace can mount it only together with a network namespace of its own.",
     "sysfs(5)", kWalls | by(Layer::Mounts, Layer::NetNs), Proof::None, kNamespaced, as_it_is, kPlain,
     "sysfs"},
    {"mount-overlay", Category::Root, "mount(2) of an overlay",
     "Overlays can be mounted in user namespaces since Linux 5.11 and copy files between layers with the "
     "rights of who mounted. The copies made local users root more than once: file capabilities were kept, "
     "and set-user-id files from a nosuid layer.",
     "CVE-2021-3493, CVE-2023-0386", kWalls, Proof::None, kLoose, as_it_is, kPlain, "overlay"},
    {"mount-cgroup2", Category::Root, "mount(2) of the control groups",
     "The file system of control groups, from which a process moves itself out of its limits or stops "
     "others. With version 1 the file release_agent of a fresh mount names a program that the kernel runs "
     "outside as root.",
     "cgroups(7), CVE-2022-0492", kWalls | by(Layer::CgroupNs), Proof::None, kLoose, as_it_is, kPlain,
     "cgroup2"},
    {"mount-devpts", Category::Root, "mount(2) of a devpts",
     "An own instance of the pseudo terminals, whose number counts for the whole host, with names that "
     "programs take for those of a real terminal. It needs CAP_SYS_ADMIN in the mount namespace.",
     "mount(2), devpts", kWalls, Proof::None, kLoose, as_it_is, kPlain, "devpts"},
    {"mount-mqueue", Category::Root, "mount(2) of the message queues",
     "The POSIX message queues of the IPC namespace as files. In a jail that shares the host's namespace "
     "every queue outside shows there, with its size and its readers.",
     "mq_overview(7)", kWalls | by(Layer::IpcNs), Proof::None, kLoose, as_it_is, kPlain, "mqueue"},
    {"mount-devtmpfs", Category::Root, "mount(2) of devtmpfs",
     "The kernel keeps one file system with a node for each device it has. Mounted anywhere it gives all of "
     "them, block devices included, to a jail whose /dev shows three.",
     "drivers/base/devtmpfs.c", kWalls | by(Layer::UserNs), Proof::None, kNamespaced, as_it_is, kPlain,
     "devtmpfs"},
    {"mount-userns", Category::Root, "mount in a new user and mount namespace",
     "Whoever may make a user namespace has every capability in it, and with a mount namespace of its own "
     "may mount. It leads out of no jail by itself, but many holes in the kernel's file systems were reached "
     "by this door.",
     "user_namespaces(7), CVE-2022-0185", by(Layer::Seccomp, Layer::Landlock), Proof::None,
     loosened("--weaken nested-userns --allow-syscall @mount,@namespaces --need landlock=off"),
     in_a_new_user_namespace, kPlain, "tmpfs"},
    {"userns-mqueue", Category::Root, "message queues in new user, mount and IPC namespaces",
     "As above, for a file system that belongs to a namespace of its own kind. Each such kind (queues, "
     "control groups, the network's sysfs) is code of the kernel that only root reached before user "
     "namespaces.",
     "user_namespaces(7)", by(Layer::Seccomp, Layer::Landlock), Proof::None,
     loosened("--weaken nested-userns --allow-syscall @mount,@namespaces --need landlock=off"),
     in_a_new_user_namespace, kPlain, "mqueue", CLONE_NEWIPC},
};

}  // namespace

std::span<const Probe> new_mounts() { return kNewMounts; }

}  // namespace immure::probes
