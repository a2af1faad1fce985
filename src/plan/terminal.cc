// An own pseudo terminal when one is wanted: what the program types into it stays in it (TIOCSTI, S132).
#include "plan/builder.h"

namespace immure {

Status choose_terminal(Builder& b) {
  unsigned ttys = 0;
  for (unsigned fd = 0; fd < 3; fd++)
    if (b.host.tty[fd]) ttys |= 1U << fd;
  switch (b.spec.tty) {
    case Tty::Auto: b.plan.pty = ttys != 0; break;
    case Tty::Always:
      b.plan.pty = true;
      if (ttys == 0) ttys = 7;
      break;
    case Tty::Never: b.plan.pty = false; break;
  }
  if (b.spec.need_of(Layer::Terminal) == Need::Off) b.plan.pty = false;
  b.plan.pty_fds = b.plan.pty ? ttys : 0;
  LayerPlan& layer = b.layer(Layer::Terminal);
  if (layer.state != State::Off)
    layer.mechanism = b.plan.pty ? "own pseudo terminal of the jail's devpts" : "none; own session without a terminal";
  if (!b.plan.pty && ttys != 0 && layer.state != State::Off) {
    layer.state = State::Weaker;
    layer.reason = "--no-tty hands the caller's terminal in; its dangerous ioctls are denied by the filter";
  }
  return {};
}

// pid 1 leads the session, so that the program's process group has a parent in it: a group without one cannot
// be stopped by Ctrl-Z.
Status plan_terminal(Builder& b) {
  int8_t master = kNoSlot, slave = kNoSlot;
  if (b.plan.pty) {
    master = b.new_slot();
    slave = b.new_slot();
    Step& open = b.add(Op::OpenPty, Side::Child, Layer::Terminal);
    open.out = master;
    open.b = slave;
  }
  b.add(Op::Setsid, Side::AfterGate, Layer::Terminal);
  if (b.plan.pty) b.add(Op::ControllingTty, Side::AfterGate, Layer::Terminal).a = slave;
  b.add(Op::ProcessGroup, Side::Payload, Layer::Terminal).a = slave;
  if (!b.plan.pty) return {};
  Step& take = b.add(Op::TtyDescriptors, Side::Payload, Layer::Terminal);
  take.a = slave;
  take.x = b.plan.pty_fds;
  return {};
}

}  // namespace immure
