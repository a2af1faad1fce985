#include "run/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>

#include "kernel/sys.h"
#include "uapi/kernel.h"

namespace immure::run {
namespace {

alignas(64) char stack[16 * 1024];
int parent_pid = 0;

void nap() {
  const long pause[2] = {0, 2'000'000};
  sys::call(__NR_nanosleep, sys::arg(pause), 0);
}

// Members that are still dying keep a group: pid 1's parent-death signal ends them, in its own time.
void remove_groups(const Watched& watched) {
  for (const char* group : watched.groups) {
    if (group == nullptr) continue;
    for (int attempt = 0; attempt < 2000; attempt++) {
      long r = sys::call(__NR_unlinkat, AT_FDCWD, sys::arg(group), AT_REMOVEDIR);
      if (r != -EBUSY) break;
      nap();
    }
  }
}

// What the supervisor had open is the watchdog's alone now. Only a terminal is needed.
void let_go_of_descriptors() {
  if (sys::call(__NR_close_range, 3, ~0U, uapi::kCloseRangeUnshare) < 0) return;
  for (int fd = 0; fd < 3; fd++) {
    KernelTermios modes;
    if (sys::call(__NR_ioctl, fd, 0x5401 /* TCGETS */, sys::arg(&modes)) < 0) sys::close(fd);
  }
}

// The supervisor's end is a signal, which anybody else may send as well: so the parent is asked for. No other signal is
// let through but SIGKILL.
void wait_for_the_end_of_the_parent() {
  const uint64_t all = ~0UL, told = 1UL << (SIGUSR1 - 1);
  sys::call(__NR_rt_sigprocmask, SIG_SETMASK, sys::arg(&all), 0, 8);
  bool is_told = sys::call(__NR_prctl, PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0) == 0;
  for (;;) {
    long parent = sys::call(__NR_getppid);
    if (parent >= 0 && parent != parent_pid) return;
    if (!is_told || sys::call(__NR_rt_sigtimedwait, sys::arg(&told), 0, 0, 8) < 0) nap();
  }
}

int watch(void* argument) {
  const Watched& watched = *static_cast<const Watched*>(argument);
  sys::call(__NR_prctl, PR_SET_NAME, sys::arg("immure-watch"), 0, 0, 0);
  sys::call(__NR_setpgid, 0, 0);   // who kills the group of immure as a whole is survived, too
  wait_for_the_end_of_the_parent();
  let_go_of_descriptors();
  restore_now(&watched.terminal);
  for (const char* file : watched.files)
    if (file != nullptr) sys::call(__NR_unlinkat, AT_FDCWD, sys::arg(file), 0);
  remove_groups(watched);
  return 0;
}

}  // namespace

long Watchdog::start(Watched* watched) {
  long own = sys::call(__NR_getpid);
  if (own < 0) return own;
  parent_pid = static_cast<int>(own);
  uapi::CloneArgs args{};
  args.flags = uapi::kCloneVm | uapi::kCloneFiles;
  args.stack = reinterpret_cast<uint64_t>(stack);
  args.stack_size = sizeof stack;
  long pid = sys::clone_call(&args, sizeof args, watch, watched);
  if (pid > 0) pid_ = pid;
  return pid;
}

void Watchdog::dismiss() {
  if (!runs() || dismissed_) return;
  sys::call(__NR_kill, pid_, SIGKILL);
  dismissed_ = true;
}

Watchdog::~Watchdog() {
  dismiss();
  if (runs()) sys::call(__NR_wait4, pid_, 0, 0x40000000 /* __WALL */, 0);
}

}  // namespace immure::run
