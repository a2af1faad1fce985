#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>

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

long take_terminal(const Step& step, const View& view) {
  int slave = slot(view, step.a);
  long r = sys::call(__NR_ioctl, slave, TIOCSCTTY, 0);
  for (int fd = 0; r >= 0 && fd < 3; fd++)
    if ((step.x >> fd & 1) != 0) r = sys::call(__NR_dup3, slave, fd, 0);
  return r < 0 ? r : 0;
}

}  // namespace

long terminal_op(const Step& step, View& view) {
  switch (step.op) {
    case Op::OpenPty: return open_pair(step, view);
    case Op::ControllingTty: return take_terminal(step, view);
    default: return -ENOSYS;
  }
}

}  // namespace immure::child
