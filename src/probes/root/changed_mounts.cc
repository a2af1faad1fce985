// The walls that are mounts: their flags taken off, the covers lifted.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"
#include "probes/root/mount_table.h"
#include "uapi/kernel.h"

namespace immure::probes {
namespace {

struct Flag {
  const char* word;
  unsigned long mount, statvfs;
  uint64_t attribute;
};
constexpr Flag kFlags[] = {
    {"ro", MS_RDONLY, ST_RDONLY, uapi::kAttrRdonly},
    {"nosuid", MS_NOSUID, ST_NOSUID, uapi::kAttrNosuid},
    {"nodev", MS_NODEV, 4, uapi::kAttrNodev},
    {"noexec", MS_NOEXEC, 8, uapi::kAttrNoexec},
};

struct Search {
  const Flag* flag;
  bool by_attribute;
  int tried, error;
  Attempt found;
};

// Takes one flag off one mount, and looks whether it is gone.
bool take_off(const MountLine& line, void* data) {
  auto* search = static_cast<Search*>(data);
  if (!has_option(line.options, search->flag->word)) return false;
  ++search->tried;
  long result;
  if (search->by_attribute) {
    uapi::MountAttr attributes{0, search->flag->attribute, 0, 0};
    result = syscall(SYS_mount_setattr, AT_FDCWD, line.target, 0, &attributes, sizeof attributes);
  } else {
    // A remount sets all flags anew: those that are not to go are said again.
    unsigned long flags = 0;
    for (const Flag& flag : kFlags)
      if (&flag != search->flag && has_option(line.options, flag.word)) flags |= flag.mount;
    if (has_option(line.options, "noatime")) flags |= MS_NOATIME;
    result = mount("none", line.target, nullptr, MS_REMOUNT | MS_BIND | flags, nullptr);
  }
  if (result != 0) {
    if (search->error == 0 || errno == EPERM) search->error = errno;
    return false;
  }
  struct statvfs now;
  if (statvfs(line.target, &now) != 0 || (now.f_flag & search->flag->statvfs) != 0) return false;
  search->found = exposed("%s is no longer %s", line.target, search->flag->word);
  return true;
}

Attempt try_all(const Probe& row) {
  Search search{};
  search.by_attribute = row.number != 0;
  for (const Flag& flag : kFlags)
    if (std::strcmp(flag.word, row.word) == 0) search.flag = &flag;
  int result = each_mount(take_off, &search);
  if (result < 0) return stopped("open mountinfo");
  if (result > 0) return search.found;
  if (search.tried == 0) return not_applicable("no mount is %s", row.word);
  return stopped(search.by_attribute ? "mount_setattr" : "mount MS_REMOUNT",
                 search.error == 0 ? EROFS : search.error);
}

Attempt remount(const Yard& yard, const Probe& row) {
  if (!own_mounts(yard)) return stopped("unshare");
  return try_all(row);
}

struct Lift {
  int lifted, error;
  char first[96];
};
bool lift(const MountLine& line, void* data) {
  auto* state = static_cast<Lift*>(data);
  if (std::strcmp(line.target, "/") == 0) return false;
  if (umount2(line.target, MNT_DETACH) == 0) {
    if (state->lifted++ == 0) std::snprintf(state->first, sizeof state->first, "%s", line.target);
  } else if (state->error == 0) {
    state->error = errno;
  }
  return false;
}

Attempt lift_all() {
  Lift state{};
  if (each_mount(lift, &state) < 0) return stopped("open mountinfo");
  if (state.lifted > 0) return exposed("%d mounts were taken away, %s first", state.lifted, state.first);
  return state.error == 0 ? not_applicable("there is no mount but the root")
                          : stopped("umount2", state.error);
}

Attempt uncover(const Yard& yard, const Probe&) {
  if (!own_mounts(yard)) return stopped("unshare");
  return lift_all();
}
// Always detached: without that word umount of the root means "read-only from now on", for everybody.
Attempt uncover_root(const Yard& yard, const Probe&) {
  if (!own_mounts(yard)) return stopped("unshare");
  if (umount2("/", MNT_DETACH) != 0) return stopped("umount2 /");
  return exposed("the root was taken away, and what is below it is the root now");
}

constexpr uint32_t kWalls = by(Layer::Capabilities, Layer::Seccomp, Layer::Landlock);
constexpr Control kLoose =
    loosened("--cap-add sys_admin --allow-syscall @mount,@namespaces --need landlock=off");
constexpr Probe kChangedMounts[] = {
    {"remount-writable", Category::Root, "read-only mounts made writable with MS_REMOUNT",
     "A read-only bind is the same file system with a flag on the mount. With CAP_SYS_ADMIN in the namespace "
     "that owns the mount the flag comes off with one call, and the files below are the host's own.",
     "mount(2), MS_REMOUNT|MS_BIND", kWalls, Proof::None, kLoose, remount, kPlain, "ro"},
    {"remount-set-uid", Category::Root, "nosuid taken off with MS_REMOUNT",
     "Where nosuid goes, set-user-id programs and file capabilities in a bound or planted tree count again. "
     "It takes the same right as to make a read-only mount writable.",
     "mount(2), MS_NOSUID", kWalls, Proof::None, kLoose, remount, kPlain, "nosuid"},
    {"remount-devices", Category::Root, "nodev taken off with MS_REMOUNT",
     "Where nodev goes, device nodes that somebody planted in a tree are devices again. In a user namespace "
     "the kernel keeps them dead all the same, so that this matters where root runs the jail without one.",
     "mount(2), MS_NODEV", kWalls, Proof::None, kLoose, remount, kPlain, "nodev"},
    {"remount-executable", Category::Root, "noexec taken off with MS_REMOUNT",
     "Folders that can be written to are noexec so that what was downloaded cannot be run. The flag is as "
     "strong as the right to mount is rare.",
     "mount(2), MS_NOEXEC", kWalls, Proof::None, kLoose, remount, kPlain, "noexec"},
    {"setattr-writable", Category::Root, "read-only mounts made writable with mount_setattr",
     "The same flag by the call of Linux 5.12, which filters that know mount(2) alone let pass. It changes a "
     "whole tree of mounts at once.",
     "mount_setattr(2) since 5.12", kWalls, Proof::None, kLoose, remount, kPlain, "ro", 1},
    {"setattr-set-uid", Category::Root, "nosuid taken off with mount_setattr",
     "nosuid by the new call. Runtimes whose filter was a list of forbidden calls had it open from the day "
     "of the kernel that brought it.",
     "mount_setattr(2) since 5.12", kWalls, Proof::None, kLoose, remount, kPlain, "nosuid", 1},
    {"umount-covers", Category::Root, "umount2 of everything that is mounted",
     "What a jail hides it covers by mounts: the files of /proc, folders of a bound tree. umount lifts the "
     "cover. In jails that were built by mounting over the host's tree the host comes to light.",
     "umount(2), MNT_DETACH", kWalls, Proof::None, kLoose, uncover},
    {"umount-root", Category::Root, "umount2 of the root itself",
     "A root that was mounted over the old one, without pivot_root, goes away when it is unmounted, and the "
     "old one is below it. A pivoted root with the old one detached has nothing below and is refused.",
     "umount(2), pivot_root(2)", kWalls | by(Layer::Root), Proof::None, kBare, uncover_root},
};

}  // namespace

std::span<const Probe> changed_mounts() { return kChangedMounts; }

}  // namespace immure::probes
