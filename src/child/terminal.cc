#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "child/ops.h"

namespace immure::child {
namespace {

// A new pair of the jail's own devpts. The slave is opened through the master (TIOCGPTPEER), so that no path is
// looked up twice.
long open_pair(const Step& step, View& view) {
  long master = sys::open(AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) return master;
  int unlock = 0;
  long r = sys::call(__NR_ioctl, master, TIOCSPTLCK, sys::arg(&unlock));
  if (r < 0) return r;
  long slave = sys::call(__NR_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) return slave;
  view.fds[step.b] = static_cast<int>(slave);
  view.fds[step.out] = static_cast<int>(master);
  Message message{Kind::Terminal, 0, 0, 0, 0, 0, 0};
  r = send_message(view.wire, message, static_cast<int>(master));
  sys::close(static_cast<int>(master));
  return r < 0 ? r : 0;
}

long standard_descriptors(const Step& step, const View& view) {
  long r = 0;
  for (int fd = 0; r >= 0 && fd < 3; fd++)
    if ((step.x >> fd & 1) != 0) r = sys::call(__NR_dup3, slot(view, step.a), fd, 0);
  return r < 0 ? r : 0;
}

// Who is not in the foreground is stopped for asking to be, unless it cannot get the signal.
long lead_group(const Step& step, const View& view) {
  long r = sys::call(__NR_setpgid, 0, 0);
  if (r < 0 || step.a == kNoSlot) return r;
  uint64_t all = ~0UL, before = 0;
  sys::call(__NR_rt_sigprocmask, SIG_BLOCK, sys::arg(&all), sys::arg(&before), 8);
  int32_t group = static_cast<int32_t>(sys::call(__NR_getpid));
  r = sys::call(__NR_ioctl, slot(view, step.a), TIOCSPGRP, sys::arg(&group));
  sys::call(__NR_rt_sigprocmask, SIG_SETMASK, sys::arg(&before), 0, 8);
  return r;
}

}  // namespace

long terminal_op(const Step& step, View& view) {
  switch (step.op) {
    case Op::OpenPty: return open_pair(step, view);
    case Op::ControllingTty: return sys::call(__NR_ioctl, slot(view, step.a), TIOCSCTTY, 0);
    case Op::ProcessGroup: return lead_group(step, view);
    case Op::TtyDescriptors: return standard_descriptors(step, view);
    default: return -ENOSYS;
  }
}

}  // namespace immure::child
