#include <errno.h>
#include <fcntl.h>

#include "child/ops.h"
#include "uapi/kernel.h"

namespace immure::child {
namespace {

constexpr long kMsBind = 0x1000, kMsRec = 0x4000, kMsPrivate = 1 << 18, kMntDetach = 2;
constexpr uint64_t kMountApi = 428;  // open_tree and its five followers have the same numbers everywhere
constexpr long kOpenTree = kMountApi, kMoveMount = kMountApi + 1, kFsopen = kMountApi + 2,
               kFsconfig = kMountApi + 3, kFsmount = kMountApi + 4, kMountSetattr = 442;

long fsconfig(int fs, int command, const char* key, const char* value, int aux) {
  return sys::call(kFsconfig, fs, command, sys::arg(key), sys::arg(value), aux);
}

long move_to(int mount, int target) {
  return sys::call(kMoveMount, mount, sys::arg(""), target, sys::arg(""),
                   uapi::kMoveMountFromEmpty | uapi::kMoveMountToEmpty);
}

long attach(int mount, int root, const char* path, bool missing_is_fine) {
  long target = open_beneath(root, path);
  if (target < 0) return missing_is_fine && target == -ENOENT ? 0 : target;
  long r = move_to(mount, static_cast<int>(target));
  sys::close(static_cast<int>(target));
  return r;
}

long clone_tree(int dir, const char* path, bool recursive) {
  return sys::call(kOpenTree, dir, sys::arg(path),
                   uapi::kOpenTreeClone | O_CLOEXEC | uapi::kAtEmptyPath | (recursive ? uapi::kAtRecursive : 0));
}

// A tree that was cloned where mounts are shared (as systemd makes all of a host's) would stay in its source's peer
// group: every mount of a jail is private, whatever is set of it.
long set_attributes(int mount, uint64_t set, uint64_t clear, bool recursive, int userns) {
  uapi::MountAttr attr{set, clear, kMsPrivate, userns >= 0 ? static_cast<uint64_t>(userns) : 0};
  return sys::call(kMountSetattr, mount, sys::arg(""), uapi::kAtEmptyPath | (recursive ? uapi::kAtRecursive : 0),
                   sys::arg(&attr), sizeof attr);
}

// On "/" of the child's own view. What is stacked there may not be shared, or the pivot refuses it.
long attach_here(int mount, const char* path) {
  long r = set_attributes(mount, 0, 0, false, -1);
  if (*path == '\0') path = "/";
  return r < 0 ? r : sys::call(kMoveMount, mount, sys::arg(""), AT_FDCWD, sys::arg(path), uapi::kMoveMountFromEmpty);
}

// After the pivot, and on procfs only: no path here was made by somebody else. One call instead of five.
long mask(const char* cover, const char* path) {
  long r = sys::call(__NR_mount, sys::arg(cover), sys::arg(path), 0, kMsBind, 0);
  return r == -ENOENT ? 0 : r;
}

long rebind_read_only(int root, const char* path) {
  long target = open_beneath(root, path);
  if (target < 0) return target == -ENOENT ? 0 : target;
  long copy = clone_tree(static_cast<int>(target), "", false);
  long r = copy;
  if (copy >= 0) {
    int fd = static_cast<int>(copy);
    r = set_attributes(fd, uapi::kAttrRdonly | uapi::kAttrNosuid | uapi::kAttrNodev | uapi::kAttrNoexec, 0, false, -1);
    if (r == 0) r = move_to(fd, static_cast<int>(target));
    sys::close(fd);
  }
  sys::close(static_cast<int>(target));
  return r;
}

// The old root is mounted over the new one for a moment, and then let go: no path leads to it. What was stacked
// on the old root goes first, one by one: detaching takes the topmost mount of a place only.
long pivot(int root, uint64_t stacked) {
  long r = sys::call(__NR_fchdir, root);
  if (r == 0) r = sys::call(__NR_pivot_root, sys::arg("."), sys::arg("."));
  for (uint64_t i = 0; r == 0 && i <= stacked; i++) r = sys::call(__NR_umount2, sys::arg("."), kMntDetach);
  if (r == 0) r = sys::call(__NR_chdir, sys::arg("/"));
  return r;
}

long map_owner(const Step& step, const View& view) {
  long map = owner_map(text(view, step.s), text(view, step.t));
  if (map < 0) return map;
  long r = set_attributes(slot(view, step.a), uapi::kAttrIdmap, 0, step.z == 1, static_cast<int>(map));
  sys::close(static_cast<int>(map));
  return r;
}

long set_fd_path(int fs, const char* key, int first, int second) {
  char value[80];
  unsigned n = fd_path(value, first);
  if (second >= 0) {
    value[n++] = ':';
    fd_path(value + n, second);
  }
  return fsconfig(fs, uapi::kFsconfigString, key, value, 0);
}

long make_mount(const Step& step, View& view) {
  int fs = slot(view, step.a);
  long r = fsconfig(fs, uapi::kFsconfigCreate, nullptr, nullptr, 0);
  if (r < 0) return r;
  long mount = sys::call(kFsmount, fs, uapi::kFsmountCloexec, static_cast<long>(step.x));
  sys::close(fs);
  view.fds[step.a] = -1;
  return keep(view, step.out, mount);
}

}  // namespace

long mount_op(const Step& step, View& view) {
  const char* path = text(view, step.s);
  int a = slot(view, step.a), b = slot(view, step.b);
  switch (step.op) {
    case Op::PrivatePropagation:
      return sys::call(__NR_mount, 0, sys::arg("/"), 0, kMsRec | kMsPrivate, 0);
    case Op::OpenTree: return keep(view, step.out, clone_tree(a, path, step.x == 1));
    case Op::FsOpen: return keep(view, step.out, sys::call(kFsopen, sys::arg(path), uapi::kFsopenCloexec));
    case Op::FsSet: return fsconfig(a, uapi::kFsconfigString, path, text(view, step.t), 0);
    case Op::FsSetFlag: return fsconfig(a, uapi::kFsconfigFlag, path, nullptr, 0);
    case Op::FsSetFd: return fsconfig(a, uapi::kFsconfigFd, path, nullptr, b);
    case Op::FsSetFdPath: return set_fd_path(a, path, b, step.x < kSlots ? view.fds[step.x] : -1);
    case Op::FsMount: return make_mount(step, view);
    case Op::MountAttributes: return set_attributes(a, step.x, step.y, step.z == 1, step.b < 0 ? -1 : b);
    case Op::MapOwner: return map_owner(step, view);
    case Op::Attach: return attach(a, b, path, step.x == 1);
    case Op::AttachHere: return attach_here(a, path);
    case Op::Mask: return mask(path, text(view, step.t));
    case Op::RebindReadOnly: return rebind_read_only(b, path);
    case Op::PivotRoot: return pivot(a, step.x);
    default: return -ENOSYS;
  }
}

}  // namespace immure::child
