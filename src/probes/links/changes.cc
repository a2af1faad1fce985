// Changes of the root's own files, each put back: what a read-only root and the owner's rights must refuse.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"
#include "probes/links/planted_path.h"
#include "probes/planted.h"

namespace immure::probes {
namespace {

// What is done to a file of the root's; 0 and -1 like a call.
using Change = int (*)(const char* path, const struct stat& now);

int set_mode(const char* path, const struct stat& now) { return chmod(path, now.st_mode & 07777); }
// To the same owner: the kernel asks the same rights for it.
int set_owner(const char* path, const struct stat& now) { return chown(path, now.st_uid, now.st_gid); }
int set_times(const char* path, const struct stat& now) {
  timespec times[2] = {now.st_atim, now.st_mtim};
  return utimensat(AT_FDCWD, path, times, 0);
}
int set_attribute(const char* path, const struct stat&) {
  if (setxattr(path, "user.immure-probe", "1", 1, 0) != 0) return -1;
  return removexattr(path, "user.immure-probe");
}
// The list that says what the mode says already: owner, group, others.
int set_acl(const char* path, const struct stat& now) {
  struct Entry {
    uint16_t tag, permissions;
    uint32_t id;
  };
  struct {
    uint32_t version;
    Entry entries[3];
  } list{2, {}};
  constexpr uint16_t kTags[] = {1, 4, 32};
  for (int i = 0; i < 3; ++i)
    list.entries[i] = {kTags[i], static_cast<uint16_t>(now.st_mode >> (6 - 3 * i) & 7), UINT32_MAX};
  if (setxattr(path, "system.posix_acl_access", &list, sizeof list, 0) != 0) return -1;
  removexattr(path, "system.posix_acl_access");
  return 0;
}
int set_length(const char* path, const struct stat& now) { return truncate(path, now.st_size); }
int move_and_back(const char* path, const struct stat&) {
  char aside[560];
  std::snprintf(aside, sizeof aside, "%s-%d", path, getpid());
  if (rename(path, aside) != 0) return -1;
  return rename(aside, path);
}
int link_beside(const char* path, const struct stat&) {
  char beside[560];
  std::snprintf(beside, sizeof beside, "%s-link-%d", path, getpid());
  if (link(path, beside) != 0) return -1;
  return unlink(beside);
}
int symlink_beside(const char* path, const struct stat&) {
  char beside[560];
  std::snprintf(beside, sizeof beside, "%s-symlink-%d", path, getpid());
  if (symlink("/etc/passwd", beside) != 0) return -1;
  return unlink(beside);
}
int fifo_beside(const char* path, const struct stat&) {
  char beside[560];
  std::snprintf(beside, sizeof beside, "%s-fifo-%d", path, getpid());
  if (mknod(beside, S_IFIFO | 0600, 0) != 0) return -1;
  return unlink(beside);
}
int folder_beside(const char* path, const struct stat&) {
  char beside[560];
  std::snprintf(beside, sizeof beside, "%s-folder-%d", path, getpid());
  if (mkdir(beside, 0700) != 0) return -1;
  return rmdir(beside);
}

struct Way {
  const char* call;
  Change change;
};
constexpr Way kWays[] = {
    {"chmod", set_mode},         {"chown", set_owner},      {"utimensat", set_times},
    {"setxattr", set_attribute}, {"setxattr acl", set_acl}, {"truncate", set_length},
    {"rename", move_and_back},   {"link", link_beside},     {"symlink", symlink_beside},
    {"mknod fifo", fifo_beside}, {"mkdir", folder_beside},
};

Attempt change(const Yard& yard, const Probe& row) {
  char path[512];
  if (!planted_path(yard, kScript, path, sizeof path)) return nothing_planted();
  struct stat now;
  if (stat(path, &now) != 0) return stopped("stat");
  for (const Way& way : kWays) {
    if (std::strcmp(way.call, row.word) != 0) continue;
    return way.change(path, now) == 0 ? exposed("%s of a file of the root", way.call) : stopped(way.call);
  }
  return stopped(row.word, ENOSYS);
}

constexpr uint32_t kWalls = by(Layer::Mounts, Layer::UserNs, Layer::Landlock);
constexpr uint32_t kOwner = by(Layer::Mounts, Layer::UserNs);
constexpr Probe kRootChanges[] = {
    {"change-mode", Category::Links, "chmod of a file of the root",
     "Sets the mode of a file in the root, to what it is already. With the right to it a program gives a "
     "set-user-id bit to a file that stays when the jail is gone.",
     "chmod(2)", kOwner, Proof::None, kChroot, change, kPlanted, "chmod"},
    {"change-owner", Category::Links, "chown of a file of the root",
     "Sets the owner of a file in the root, to what it is already, which needs the same right. A jail that "
     "runs as the owner of its root, or as root without a user namespace, has it.",
     "chown(2)", kOwner, Proof::None, kChroot, change, kPlanted, "chown"},
    {"change-times", Category::Links, "times of a file of the root set",
     "Sets the times of a file to what they are. Who can set them makes build systems and caches outside "
     "believe that a file is older or newer than it is.",
     "utimensat(2)", kOwner, Proof::None, kChroot, change, kPlanted, "utimensat"},
    {"change-attribute", Category::Links, "extended attribute set on a file of the root",
     "Extended attributes belong to the inode. Labels of security modules and capabilities are some of them, "
     "and one of user.* is a mark that outlives the jail.",
     "xattr(7)", kOwner, Proof::None, kChroot, change, kPlanted, "setxattr"},
    {"change-acl", Category::Links, "access list set on a file of the root",
     "An access list opens a file to further users without its mode showing whom. The probe sets the one "
     "that says the same as the mode, and removes it.",
     "acl(5)", kOwner, Proof::None, kChroot, change, kPlanted, "setxattr acl"},
    {"change-length", Category::Links, "truncate of a file of the root",
     "Cuts a file of the root to the length that it has. The call needs no descriptor, and Landlock knows of "
     "it only since Linux 6.2.",
     "truncate(2), landlock(7)", kWalls, Proof::None, kChroot, change, kPlanted, "truncate"},
    {"change-name", Category::Links, "file of the root moved away and back",
     "Who can rename in a folder exchanges the programs in it. The new one takes the name of the old, "
     "whatever the old one's mode is.",
     "rename(2)", kWalls, Proof::None, kChroot, change, kPlanted, "rename"},
    {"add-hard-link", Category::Links, "hard link made to a file of the root",
     "A second name keeps a file, such as an old set-user-id program with a hole, after it was replaced or "
     "deleted. It is the attacker's own way to what the planted links of this battery are.",
     "link(2), proc_sys_fs(5), protected_hardlinks", kWalls, Proof::None, kChroot, change, kPlanted, "link"},
    {"add-symlink", Category::Links, "symbolic link made in the root",
     "A link left in the root is followed by the host's own programs later. Backups, removers of old files, "
     "and the next launcher on its way to /dev or /proc are some of them.",
     "symlink(2), CVE-2021-30465", kWalls, Proof::None, kChroot, change, kPlanted, "symlink"},
    {"add-fifo", Category::Links, "FIFO made in the root",
     "A FIFO left in the root is a channel to whoever opens it outside. Programs that read through the tree "
     "hang at it.",
     "mkfifo(3), fifo(7)", kWalls, Proof::None, kChroot, change, kPlanted, "mknod fifo"},
    {"add-folder", Category::Links, "folder made in the root",
     "The plainest change of all. A root in which folders can be made is not the root that was looked at "
     "when it was prepared.",
     "mkdir(2)", kWalls, Proof::None, kChroot, change, kPlanted, "mkdir"},
};

}  // namespace

std::span<const Probe> root_changes() { return kRootChanges; }

}  // namespace immure::probes
