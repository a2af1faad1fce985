// Control groups from inside: limits that are undone, and the program that the kernel starts when a group is
// left.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"
#include "probes/kernel/look.h"

namespace immure::probes {
namespace {

// Opens a file of these names for writing, in each mounted tree of groups of the kind; the kind is in
// row.word.
Attempt open_in_groups(const char* kind, std::span<const char* const> names) {
  FILE* mounts = std::fopen("/proc/self/mounts", "re");
  if (mounts == nullptr) return stopped("open mounts");
  char line[1024], point[256], type[32], path[320];
  Attempt attempt = stopped("mounts", ENOENT);
  while (attempt.outcome == Outcome::Stopped && std::fgets(line, sizeof line, mounts) != nullptr) {
    if (std::sscanf(line, "%*s %255s %31s", point, type) != 2 ||
        std::strncmp(type, kind, std::strlen(kind)) != 0)
      continue;
    for (const char* name : names) {
      std::snprintf(path, sizeof path, "%s/%s", point, name);
      int fd = open(path, O_WRONLY | O_CLOEXEC);
      if (fd >= 0) {
        close(fd);
        attempt = exposed("%s is open for writing", path);
        break;
      }
      if (errno != ENOENT) attempt = stopped("open");
    }
  }
  std::fclose(mounts);
  return attempt;
}

Attempt move(const Yard&, const Probe&) {
  static const char* const kNames[] = {"cgroup.procs", "tasks"};
  return open_in_groups("cgroup", kNames);
}
Attempt limits(const Yard&, const Probe&) {
  static const char* const kNames[] = {
      "memory.max", "memory.limit_in_bytes", "pids.max", "cpu.cfs_quota_us", "cpu.max",
      "cpu.shares", "cgroup.subtree_control"};
  return open_in_groups("cgroup", kNames);
}
Attempt devices(const Yard&, const Probe&) {
  static const char* const kNames[] = {"devices.allow"};
  return open_in_groups("cgroup", kNames);
}
Attempt release_agent(const Yard&, const Probe&) {
  static const char* const kNames[] = {"release_agent"};
  return open_in_groups("cgroup", kNames);
}

bool put(const char* path, const char* format, unsigned id) {
  char text[32];
  std::snprintf(text, sizeof text, format, id);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool written = write(fd, text, std::strlen(text)) > 0;
  close(fd);
  return written;
}

// Root of a user namespace and mounts of one's own; with no user namespace to be had nothing follows.
bool own_mounts(int more) {
  const unsigned user = geteuid(), group = getegid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS | more) != 0) return false;
  if (!put("/proc/self/uid_map", "0 %u 1", user) || !put("/proc/self/setgroups", "deny", 0)) return false;
  if (!put("/proc/self/gid_map", "0 %u 1", group)) return false;
  return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

// A controller that has an old tree: mounting that once more changes nothing. One with none would get it by a
// mount.
bool old_controller(char* name, size_t size) {
  FILE* groups = std::fopen("/proc/cgroups", "re");
  if (groups == nullptr) return false;
  char line[128], found[64];
  int tree = 0;
  bool has = false;
  while (!has && std::fgets(line, sizeof line, groups) != nullptr)
    has = std::sscanf(line, "%63s %d", found, &tree) == 2 && found[0] != '#' && tree != 0;
  std::fclose(groups);
  if (has) std::snprintf(name, size, "%s", found);
  return has;
}

struct OwnMount {
  const char* type;
  const char* file;
  int namespaces;
};
constexpr OwnMount kOwnMounts[] = {
    {"cgroup", "release_agent", CLONE_NEWCGROUP},
    {"cgroup2", "cgroup.procs", CLONE_NEWCGROUP},
    {"binfmt_misc", "register", 0},
};

// The mount goes with this process's namespace, the folder by its own hand.
Attempt mount_own(const Yard& yard, const Probe& row) {
  const OwnMount& wanted = kOwnMounts[row.number];
  char folder[128], path[192], controller[64] = "";
  if (!scratch_path(yard, "groups", folder, sizeof folder))
    return not_applicable("nothing is writable for a folder");
  if (std::strcmp(wanted.type, "cgroup") == 0 && !old_controller(controller, sizeof controller))
    return not_applicable("no controller has a tree of version 1");
  if (mkdir(folder, 0700) != 0) return stopped("mkdir");
  Attempt attempt;
  if (!own_mounts(wanted.namespaces)) {
    attempt = stopped("unshare");
  } else if (mount("none", folder, wanted.type, 0, controller) != 0) {
    attempt = stopped("mount");
    // Who may mount here at all, and not this, is told so by the file system.
    if (attempt.error == EPERM && std::strcmp(wanted.type, "binfmt_misc") == 0 &&
        mount("none", folder, "tmpfs", 0, "size=4k") == 0) {
      umount2(folder, MNT_DETACH);
      attempt = not_applicable("this kernel lets nobody mount %s in a user namespace", wanted.type);
    }
  } else {
    std::snprintf(path, sizeof path, "%s/%s", folder, wanted.file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    attempt = fd < 0 ? stopped("open") : exposed("%s of an own mount is open for writing", wanted.file);
    if (fd >= 0) close(fd);
    umount2(folder, MNT_DETACH);
  }
  rmdir(folder);
  return attempt;
}

constexpr uint32_t kSeen = by(Layer::Root, Layer::UserNs);
constexpr uint32_t kOwn = by(Layer::Seccomp, Layer::Landlock);

constexpr Probe kControlGroups[] = {
    {"cgroup-tree", Category::Kernel, "list the host's tree of control groups",
     "Names every service, session and container of the host, with what each uses of memory and processors. "
     "What is seen can be watched: a neighbour's work shows in its counters.",
     "cgroups(7)", by(Layer::Root, Layer::MountNs), Proof::None, kBare, list_some, kPlain, "/sys/fs/cgroup"},
    {"cgroup-leave", Category::Kernel, "leave the control group",
     "Whoever may write to cgroup.procs of another group moves there, and with that out of every limit of "
     "the jail. The attempt opens such a file in every mounted tree.",
     "cgroups(7)", kSeen, Proof::None, kBare, move},
    {"cgroup-limits", Category::Kernel, "raise the limits of a control group",
     "A group's limits are files. Where the tree is mounted writable inside, the jail sets its own.",
     "cgroups(7)", kSeen, Proof::None, kBare, limits},
    {"cgroup-devices", Category::Kernel, "allow devices in a control group of version 1",
     "The list of allowed devices is a file of version 1, which the owner of the tree rewrites; then mknod "
     "and the host's disk are next. The attempt opens it for writing and writes nothing.",
     "Documentation/admin-guide/cgroup-v1/devices.rst", kSeen, Proof::None, kBare, devices},
    {"release-agent", Category::Kernel, "write a release agent",
     "The release agent of a tree of version 1 is started by the kernel as root of the host when a group "
     "becomes empty. A few lines of shell made this the best known way out of privileged containers.",
     "cgroups(7)", kSeen, Proof::None, kBare, release_agent},
    {"release-agent-own", Category::Kernel, "a release agent in a mount of one's own",
     "Root inside makes user, mount and group namespaces and mounts a tree of version 1 itself. Until 2022 "
     "the kernel took a release agent from there without asking for rights over the host: CVE-2022-0492.",
     "CVE-2022-0492", kOwn | by(Layer::UserNs), Proof::None, kBare, mount_own, kPlain, "", 0},
    {"cgroup-own-mount", Category::Kernel, "mount the tree of control groups oneself",
     "With namespaces of one's own the tree can be mounted where no jail has shown it, and the own group's "
     "files opened. Whether they may be written depends on who owns them outside.",
     "cgroup_namespaces(7)", kOwn | by(Layer::UserNs), Proof::None, kBare, mount_own, kPlain, "", 1},
    {"binfmt-own-mount", Category::Kernel, "mount binfmt_misc oneself and open its register",
     "Since Linux 6.7 each user namespace has binary formats of its own, so that every user who can make one "
     "reaches the code that reads them. The attempt opens the register of a mount of its own and writes "
     "nothing.",
     "Documentation/admin-guide/binfmt-misc.rst", kOwn, Proof::None,
     loosened("--weaken nested-userns --allow-syscall unshare,@mount --need landlock=off"), mount_own, kPlain,
     "", 2},
};

}  // namespace

std::span<const Probe> control_groups() { return kControlGroups; }

}  // namespace immure::probes
