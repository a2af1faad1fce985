// pid 1 of the jail: builds it, starts the program, then only reaps, forwards and reports.
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/wait.h>
#include <poll.h>
#include <signal.h>

#include "child/ops.h"
#include "uapi/kernel.h"

namespace immure::child {
namespace {

constexpr int kFailed = 125;
constexpr int kWire = 0, kSignals = 1;   // the only descriptors that pid 1 keeps
constexpr unsigned long kSigchldMask = 1UL << (SIGCHLD - 1);
constexpr long kWall = 0x40000000;       // __WALL

// A process that has entered a jail must not leave a dead child to the host's init: the jail's pid 1 could not end
// before that one has looked after it.
void wait_for(long program) {
  if (program > 0) sys::call(__NR_wait4, program, 0, kWall, 0);
}

// The end of pid 1 is everybody's. Who has entered a jail stands over one program alone, and is not its pid 1.
[[noreturn]] void abandon(long program) {
  if (program > 0) sys::call(__NR_kill, program, SIGKILL);
  wait_for(program);
  sys::exit_group(kFailed);
}

void wipe(char* data, uint64_t size) {
  for (uint64_t i = 0; i < size; i++) *reinterpret_cast<volatile char*>(data + i) = 0;
}

// Before there is a child to hear of: a pid 1 that cannot is not started. The descriptor is above those that the
// program gets, for both have one table until the exec.
void listen_for_children(View& view) {
  uint64_t child_mask = kSigchldMask;
  view.signals = static_cast<int>(sys::call(__NR_signalfd4, -1, sys::arg(&child_mask), 8, O_CLOEXEC));
  int highest = 2;
  for (const int* kept = view.kept_fds; *kept >= 0; kept++) highest = *kept > highest ? *kept : highest;
  if (view.signals >= 0 && view.signals <= highest)
    view.signals = static_cast<int>(sys::call(__NR_fcntl, view.signals, F_DUPFD_CLOEXEC, highest + 1));
  if (view.signals >= 0) return;
  view.failed_errno = -view.signals;
  for (uint32_t i = 0; i < view.step_count; i++)
    if (view.steps[i].op == Op::Start) view.failed_step = i;
  give_up(view);
}

// Everything but the wire goes: what the caller had open must not live on in pid 1 either.
void keep_only_the_wire(View& view) {
  uint64_t blocked = ~0UL;
  if (sys::call(__NR_rt_sigprocmask, SIG_SETMASK, sys::arg(&blocked), 0, 8) < 0) abandon(view.program);
  int wire = view.wire;
  if (wire == kSignals) wire = static_cast<int>(sys::call(__NR_fcntl, wire, F_DUPFD_CLOEXEC, 3));
  long signals = view.signals;
  if (signals == kWire) signals = sys::call(__NR_fcntl, signals, F_DUPFD_CLOEXEC, 3);
  if (wire != kWire && sys::call(__NR_dup3, wire, kWire, O_CLOEXEC) < 0) abandon(view.program);
  if (signals != kSignals && sys::call(__NR_dup3, signals, kSignals, O_CLOEXEC) < 0) abandon(view.program);
  sys::call(__NR_close_range, 2, ~0U, 0);
  if (sys::call(__NR_fcntl, 2, F_GETFD) != -EBADF) abandon(view.program);   // it was open: the standard ones always are
}

// getrusage(2), as the kernel lays it out on a 64-bit machine.
struct KernelUsage {
  int64_t user_s, user_us, system_s, system_us, max_rss, rest[11];
};
constexpr int kUsageChildren = -1;

[[noreturn]] void finish(int status) {
  KernelUsage usage{};
  sys::call(__NR_getrusage, kUsageChildren, sys::arg(&usage));
  Message message{Kind::Exited, 0, 0, status, static_cast<uint64_t>(usage.user_s * 1000000 + usage.user_us),
                  static_cast<uint64_t>(usage.system_s * 1000000 + usage.system_us),
                  static_cast<uint64_t>(usage.max_rss)};
  send_message(kWire, message);
  sys::exit_group(0);
}

// Reaps whatever has ended; ends pid 1 when it was the program.
void reap(long program) {
  int status = 0;
  for (;;) {
    long pid = sys::call(__NR_wait4, -1, sys::arg(&status), WNOHANG | WUNTRACED | kWall, 0);
    if (pid <= 0) return;
    if (pid != program) continue;
    if ((status & 0xff) == 0x7f) {
      Message message{Kind::Stopped, 0, 0, (status >> 8) & 0xff, 0, 0, 0};
      send_message(kWire, message);
      continue;
    }
    finish(status);
  }
}

[[noreturn]] void serve(long program) {
  pollfd fds[2] = {{kWire, POLLIN, 0}, {kSignals, POLLIN, 0}};
  for (;;) {
    reap(program);
    long n = sys::call(__NR_ppoll, sys::arg(fds), 2, 0, 0, 8);
    if (n < 0 && n != -EINTR) abandon(program);
    if ((fds[1].revents & POLLIN) != 0) {
      char info[128];
      sys::read(kSignals, info, sizeof info);
    }
    if (fds[0].revents == 0) continue;
    Message message;
    if (receive_message(kWire, message) <= 0) abandon(program);   // the supervisor has gone
    if (message.kind != Kind::Signal) continue;
    // What a terminal sends by a key is for the whole job, as a terminal would do it.
    int sig = message.value;
    bool job = sig == SIGTSTP || sig == SIGCONT || sig == SIGINT || sig == SIGQUIT;
    sys::call(__NR_kill, job ? -program : program, message.value);
  }
}

}  // namespace

[[noreturn]] void give_up(View& view) {
  wait_for(view.program);
  Message message{Kind::StepFailed, view.failed_step, view.failed_errno, 0, 0, 0, 0};
  send_message(view.wire, message);
  // The parent looks at the root first, and then ends this process. What it had said before it knew is on the way.
  while (receive_message(view.wire, message) > 0) {
  }
  sys::exit_group(kFailed);
}

[[noreturn]] void child_main(View& view) {
  if (view.other_wire >= 0) sys::close(view.other_wire);
  wipe(view.own_arguments, view.own_arguments_size);
  sys::call(__NR_prctl, PR_SET_NAME, sys::arg("immure-init"));
  if (run_steps(view, Side::Child) != 0) give_up(view);
  listen_for_children(view);
  Message message{Kind::AtGate, 0, 0, 0, 0, 0, 0};
  if (send_message(view.wire, message) < 0) sys::exit_group(kFailed);
  if (run_steps(view, Side::AfterGate) != 0) give_up(view);

  if (view.failed_errno != 0) give_up(view);   // the program's own steps, in shared memory
  message = {Kind::Running, 0, 0, static_cast<int32_t>(view.program), 0, 0, 0};
  int listener = view.own_memory ? -1 : static_cast<int>(view.listener);
  if (send_message(view.wire, message, listener) < 0) abandon(view.program);
  keep_only_the_wire(view);
  // Its own filter wants it, also where the program goes without (--need no-new-privs=off).
  sys::call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const sock_fprog* own = &view.filters[1];
  if (own->len != 0 && sys::call(__NR_seccomp, uapi::kSeccompSetModeFilter, 0, sys::arg(own)) < 0)
    abandon(view.program);
  serve(view.program);
}

}  // namespace immure::child
