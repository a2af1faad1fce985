#include "kernel/features.h"

#include <fcntl.h>
#include <linux/seccomp.h>

#include <cerrno>

#include "kernel/capabilities.h"
#include "kernel/cgroup.h"
#include "kernel/lsm.h"
#include "kernel/proc.h"
#include "kernel/sys.h"
#include "uapi/kernel.h"

namespace immure {
namespace {

// A call that is there refuses the arguments in its own way; only one that is not there says ENOSYS. The
// arguments are bad on purpose: sizes of nought, descriptors of -1, ranges that run backwards.
bool there(long nr, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
  return sys::call(nr, a, b, c, d, e) != -ENOSYS;
}

// open_tree_attr(2) came with 6.15, as did overlay layers that are attached nowhere. Asking overlayfs itself
// needs privilege over the mount namespace, which a user only has after the clone; probe() does that.
constexpr long kOpenTreeAttr = 467;
constexpr long kMfdNoexecSeal = 8;

}  // namespace

Features Features::assume(bool groups) {
  Features f;
  f.clone3 = there(__NR_clone3);
  f.mount_api = there(__NR_open_tree, -1, 0, -1) && there(__NR_move_mount, -1, 0, -1, 0, -1);
  f.mount_setattr = there(__NR_mount_setattr, -1);
  f.openat2 = there(__NR_openat2, -1);
  f.close_range = there(__NR_close_range, 1);
  f.overlay_layer_fds = there(kOpenTreeAttr, -1, 0, -1);
  f.overlay_unprivileged = f.mount_setattr;  // 5.11 and 5.12
  f.clone_into_cgroup = f.clone3 && f.openat2;
  // An unknown flag is EINVAL before the name is looked at, a known one EFAULT for the name.
  f.memfd_noexec = sys::call(__NR_memfd_create, 0, kMfdNoexecSeal) == -EFAULT;
  f.time_ns_on_exec = f.memfd_noexec;  // 6.2 and 6.3
  uint32_t action = uapi::kSeccompRetUserNotif;
  f.seccomp_listener = sys::call(__NR_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, sys::arg(&action)) == 0;
  f.landlock_abi = landlock_version();
  f.last_capability = highest_capability();
  if (groups) f.cgroup = observe_cgroups(true);
  f.lsm = active_lsms();
  return f;
}

}  // namespace immure
