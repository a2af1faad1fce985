// The last steps: descriptors, the filter, the program.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "child/ops.h"
#include "uapi/kernel.h"

namespace immure::child {
namespace {

alignas(64) char payload_stack[32 * 1024];

// pid 1 is woken when the program starts and whenever a child of it ends, and has nothing to do that could not wait for
// them: as a batch process it does not take their processor.
enum Scheduling : long { kOther = 0, kBatch = 3 };
void schedule_as(Scheduling policy) {
  int priority = 0;
  sys::call(__NR_sched_setscheduler, 0, policy, sys::arg(&priority));
}

// The program to be, on a stack of its own, while pid 1 is suspended; mostly in pid 1's memory.
int payload(void* argument) {
  View& view = *static_cast<View*>(argument);
  schedule_as(kOther);
  if (run_steps(view, Side::Payload) != 0 && view.own_memory) give_up(view);
  return 127;
}

long start(const Step& step, View& view) {
  view.own_memory = step.x == 1;
  schedule_as(kBatch);
  uapi::CloneArgs args{};
  args.flags = uapi::kCloneVfork | (view.own_memory ? 0 : uapi::kCloneVm | uapi::kCloneFiles);
  args.exit_signal = SIGCHLD;
  args.stack = reinterpret_cast<uint64_t>(payload_stack);
  args.stack_size = sizeof payload_stack;
  view.program = sys::clone_call(&args, sizeof args, payload, &view);
  return view.program;
}

long load_filter(const Step& step, View& view) {
  const sock_fprog* filter = &view.filters[step.x];
  if (filter->len == 0) return 0;
  if (step.y == 0) return sys::call(__NR_seccomp, uapi::kSeccompSetModeFilter, 0, sys::arg(filter));
  long flags = uapi::kSeccompFilterFlagNewListener | uapi::kSeccompFilterFlagWaitKillable;
  long listener = sys::call(__NR_seccomp, uapi::kSeccompSetModeFilter, flags, sys::arg(filter));
  if (listener == -EINVAL)  // WAIT_KILLABLE_RECV came with 5.19
    listener = sys::call(__NR_seccomp, uapi::kSeccompSetModeFilter, uapi::kSeccompFilterFlagNewListener,
                         sys::arg(filter));
  if (listener < 0) return listener;
  // pid 1 has it too, and sends it when the program runs: to wake the supervisor now would cost the program its
  // processor. But where the exec itself waits for an answer, pid 1 waits for the exec.
  if (step.y == 1 && !view.own_memory) {
    view.listener = listener;
    return 0;
  }
  Message message{Kind::Listener, 0, 0, 0, 0, 0, 0};
  long r = send_message(view.wire, message, static_cast<int>(listener), -1, step.z);
  return r < 0 ? r : 0;  // the listener is close-on-exec
}

// Tries the candidates as a shell does: what is missing is passed over, what may not be run is remembered.
long execute(const View& view) {
  long result = -ENOENT;
  for (const char* const* path = view.candidates; *path != nullptr; path++) {
    long r = sys::call(__NR_execve, sys::arg(*path), sys::arg(view.argv), sys::arg(view.envp));
    if (r == -ENOENT || r == -ENOTDIR) continue;
    result = r;
    if (r != -EACCES) break;
  }
  return result;
}

long move_fd(const Step& step, View& view) {
  int from = slot(view, step.a);
  int to = static_cast<int>(step.x);
  if (from == to) return sys::call(__NR_fcntl, from, F_SETFD, 0);
  long r = sys::call(__NR_dup3, from, to, 0);
  return r < 0 ? r : 0;
}

bool is_kept(const View& view, int fd) {
  if (fd < 3) return true;
  for (const int* kept = view.kept_fds; *kept >= 0; kept++)
    if (*kept == fd) return true;
  return false;
}

// Asks the kernel, not our own memory of what was opened: each descriptor is closed by the exec or listed. Only
// the low ones, where nearly all are; the supervisor looks at every one once the program runs (verify_running).
long verify_fds(const View& view) {
  for (int fd = 3; fd < 48; fd++) {
    long flags = sys::call(__NR_fcntl, fd, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0 && !is_kept(view, fd)) return -EBADFD;
  }
  return 0;
}

}  // namespace

long exec_op(const Step& step, View& view) {
  switch (step.op) {
    case Op::MoveFd: return move_fd(step, view);
    case Op::CloseRange: return sys::call(__NR_close_range, static_cast<long>(step.x), ~0U, uapi::kCloseRangeCloexec);
    case Op::VerifyFds: return verify_fds(view);
    case Op::Seccomp: return load_filter(step, view);
    case Op::Start: return start(step, view);
    case Op::Exec: return execute(view);
    default: return -ENOSYS;
  }
}

}  // namespace immure::child
