#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>

#include "child/ops.h"
#include "child/read_back.h"
#include "uapi/kernel.h"

namespace immure::child {
namespace {

constexpr long kCreate = 444, kAddRule = 445, kRestrict = 446;

long create(const Step& step, View& view, unsigned long size) {
  uapi::LandlockRulesetAttr attr{step.x, step.y, step.z};
  return keep(view, step.out, sys::call(kCreate, sys::arg(&attr), static_cast<long>(size), 0));
}

long allow_path(const Step& step, const View& view) {
  const char* path = text(view, step.s);
  long dir = sys::open(AT_FDCWD, path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
  if (dir < 0) return step.y == 1 && dir == -ENOENT ? 0 : dir;
  uapi::LandlockPathBeneathAttr rule{step.x, static_cast<int32_t>(dir)};
  long r = sys::call(kAddRule, slot(view, step.a), uapi::kLandlockRulePathBeneath, sys::arg(&rule), 0);
  sys::close(static_cast<int>(dir));
  return r;
}

long allow_descriptor(const Step& step, const View& view) {
  uapi::LandlockPathBeneathAttr rule{step.x, static_cast<int32_t>(step.y)};
  long r = sys::call(kAddRule, slot(view, step.a), uapi::kLandlockRulePathBeneath, sys::arg(&rule), 0);
  return r == -EBADFD ? 0 : r;  // a file of no mount, which Landlock holds nobody from
}

long allow_port(const Step& step, const View& view) {
  uapi::LandlockNetPortAttr rule{step.x, step.y};
  return sys::call(kAddRule, slot(view, step.a), uapi::kLandlockRuleNetPort, sys::arg(&rule), 0);
}

// No file of the kernel's shows what holds for a process. But no rule ever grants block devices, and Landlock is asked
// before the capability that making one takes: its EACCES comes first where files can be made, and EPERM tells that
// nobody asked it. (Not a whiteout: newer kernels count it among regular files.) EPERM for a regular file too is the
// word of a filter around the launcher, and shows nothing.
long is_enforced() {
  constexpr const char* kNode = "/tmp/.immure-landlock";
  long device = sys::call(__NR_mknodat, AT_FDCWD, sys::arg(kNode), S_IFBLK, 0);
  if (device == -EPERM) {
    long file = sys::call(__NR_mknodat, AT_FDCWD, sys::arg(kNode), S_IFREG, 0);
    if (file < 0) return 0;
  } else if (device < 0) {
    return 0;
  }
  sys::call(__NR_unlinkat, AT_FDCWD, sys::arg(kNode), 0);
  return kNotShown;
}

}  // namespace

long landlock_op(const Step& step, View& view) {
  switch (step.op) {
    // The structure grew with the ABI: a kernel that knows no network or scope rights wants the short form.
    case Op::LandlockCreate: return create(step, view, step.z != 0 ? 24 : step.y != 0 ? 16 : 8);
    case Op::LandlockPath: return allow_path(step, view);
    case Op::LandlockFd: return allow_descriptor(step, view);
    case Op::LandlockPort: return allow_port(step, view);
    case Op::LandlockEnforce: {
      long r = sys::call(kRestrict, slot(view, step.a), 0);
      sys::close(slot(view, step.a));
      return r < 0 ? r : is_enforced();
    }
    default: return -ENOSYS;
  }
}

}  // namespace immure::child
