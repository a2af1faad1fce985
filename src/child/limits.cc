// Namespaces that pid 1 finishes itself, limits, and the state that a process inherits without asking.
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/sched.h>
#include <sys/socket.h>

#include "child/ops.h"
#include "child/read_back.h"
#include "uapi/kernel.h"

namespace immure::child {
namespace {

// The interface request of netdevice(7), reduced to what is used: name and flags.
struct InterfaceFlags {
  char name[16];
  short flags;
  char rest[22];
};

long loopback_up() {
  long fd = sys::call(__NR_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  InterfaceFlags request{{'l', 'o'}, IFF_UP | IFF_RUNNING, {}};
  long r = sys::call(__NR_ioctl, fd, 0x8914 /* SIOCSIFFLAGS */, sys::arg(&request));
  sys::close(static_cast<int>(fd));
  return r;
}

long await(const View& view, Kind kind) {
  Message message;
  long n = receive_message(view.wire, message);
  if (n < 0) return n;
  return n == sizeof message && message.kind == kind ? 0 : -ECONNRESET;
}

struct KernelSigaction {
  void* handler;
  unsigned long flags;
  void* restorer;
  uint64_t mask;
};

long set_hostname(const char* host) {
  struct {
    char system[65], node[65], rest[4][65];   // new_utsname of uname(2)
  } names{};
  unsigned long size = length(host);
  long r = sys::call(__NR_sethostname, sys::arg(host), static_cast<long>(size));
  if (r == 0) r = sys::call(__NR_uname, sys::arg(&names));
  for (unsigned long i = 0; r == 0 && i <= size; i++)
    if (names.node[i] != host[i]) r = kNotShown;
  return r;
}

long reset_inherited() {
  KernelSigaction defaults{};
  for (long sig = 1; sig <= 64; sig++)
    if (sig != 9 && sig != 19) sys::call(__NR_rt_sigaction, sig, sys::arg(&defaults), 0, 8);
  uint64_t none = 0;
  long r = sys::call(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, sys::arg(&none), 0, 8);
  if (r == 0) r = sys::call(__NR_personality, 0);
  if (r < 0) return r;
  constexpr long kAsk = 0xffffffff;
  if (sys::call(__NR_personality, kAsk) != 0) return kNotShown;
  struct {
    int priority;
  } normal{0};
  sys::call(__NR_sched_setscheduler, 0, 0 /* SCHED_OTHER */, sys::arg(&normal));
  sys::call(__NR_ioprio_set, 1 /* process */, 0, 0);
  // Who came before others stands in line; who came after them has mostly been put there, and stays.
  constexpr long kUsual = 20;   // the kernel says 20 less the nice value
  if (sys::call(__NR_getpriority, 0 /* PRIO_PROCESS */, 0) > kUsual) sys::call(__NR_setpriority, 0, 0, 0);
  // Behind the scheduler's class: timers of the real-time ones are never late.
  constexpr long kSetTimerSlack = 29, kKernelsOwn = 50000;
  sys::call(__NR_prctl, kSetTimerSlack, kKernelsOwn, 0, 0, 0);
  return 0;
}

// What the supervisor counts with goes to it alone: nobody in the jail has either for longer than this. Without the
// second it takes the most that sockets can hold.
long mounts_ready(const Step& step, View& view) {
  Message message{Kind::MountsReady, 0, 0, 0, 0, 0, 0};
  constexpr long kSockDiag = 4;
  long diag = step.x == 1 ? sys::call(__NR_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, kSockDiag) : -1;
  long n = send_message(view.wire, message, step.a < 0 ? -1 : slot(view, step.a), diag < 0 ? -1 : static_cast<int>(diag));
  if (diag >= 0) sys::close(static_cast<int>(diag));
  if (step.a >= 0) {
    sys::close(slot(view, step.a));
    view.fds[step.a] = -1;
  }
  return n < 0 ? n : 0;
}

}  // namespace

long namespace_op(const Step& step, View& view) {
  switch (step.op) {
    case Op::MountsReady: return mounts_ready(step, view);
    case Op::AwaitMaps: return await(view, Kind::MapsWritten);
    case Op::AwaitSources: return receive_sources(view);
    case Op::AwaitGo: return await(view, Kind::Go);
    case Op::Unshare: return sys::call(__NR_unshare, static_cast<long>(step.x));
    case Op::EnterNamespaces: return sys::call(__NR_setns, slot(view, step.a), static_cast<long>(step.x));
    case Op::LoopbackUp: return loopback_up();
    case Op::Hostname: return set_hostname(text(view, step.s));
    default: return -ENOSYS;
  }
}

long limit_op(const Step& step, View& view) {
  switch (step.op) {
    case Op::Rlimit: {
      uint64_t limit[2] = {step.y, step.z};
      return sys::call(__NR_prlimit64, 0, static_cast<long>(step.x), sys::arg(limit), 0);
    }
    case Op::Umask: sys::call(__NR_umask, static_cast<long>(step.x)); return 0;
    case Op::ResetInherited: return reset_inherited();
    case Op::CgroupJoin: {
      long n = sys::write(slot(view, step.a), "0", 1);
      return n < 0 ? n : 0;
    }
    case Op::Setsid: {
      long r = sys::call(__NR_setsid);
      return r < 0 ? r : sys::call(__NR_getsid, 0) == sys::call(__NR_getpid) ? 0 : kNotShown;
    }
    case Op::Chdir: {
      long r = sys::call(__NR_chdir, sys::arg(text(view, step.s)));
      if (r < 0 && step.t != 0) r = sys::call(__NR_chdir, sys::arg(text(view, step.t)));
      return r;
    }
    default: return -ENOSYS;
  }
}

}  // namespace immure::child
