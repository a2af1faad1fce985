#include "run/head_start.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "child/child.h"
#include "kernel/sys.h"

namespace immure::run {
namespace {

constexpr int kWall = 0x40000000;  // __WALL
constexpr size_t kProcessors = 1024;
struct Processors {
  uint64_t bits[kProcessors / 64] = {};

  long of_caller() { return sys::call(__NR_sched_getaffinity, 0, sizeof bits, sys::arg(bits)); }
  long set_for(long pid) const { return sys::call(__NR_sched_setaffinity, pid, sizeof bits, sys::arg(bits)); }
  bool only_one() const {
    int count = 0;
    for (uint64_t word : bits) count += __builtin_popcountl(word);
    return count < 2;
  }
};

// What both see. `turn` is waited for by futex; the rest changes hands with it.
enum Turn : uint32_t { kWaiting, kMaking, kMade, kWanted, kDone, kTooLate };
struct Shared {
  uint32_t turn = kWaiting;
  int parent = 0;
  Processors processors, elsewhere;  // the caller's; all of them but the one that it is on
  uapi::CloneArgs args;
  int (*fn)(void*) = nullptr;
  void* argument = nullptr;
  long result = 0;
};
Shared shared;

// pid 1 begins on a copy of it, too.
alignas(64) char stack[256 * 1024];

constexpr int kLooks = 300;
constexpr long kPatience[2] = {0, 20'000'000};  // then the supervisor sees whether the helper lives

uint32_t turn() { return __atomic_load_n(&shared.turn, __ATOMIC_ACQUIRE); }

bool take(uint32_t from, uint32_t to) {
  return __atomic_compare_exchange_n(&shared.turn, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

void give(Turn next) {
  __atomic_store_n(&shared.turn, next, __ATOMIC_RELEASE);
  sys::call(__NR_futex, sys::arg(&shared.turn), FUTEX_WAKE, 1);
}

// Waking a processor takes longer than what is mostly left to wait for; but who waits long is not to keep one
// busy.
void wait_while(Turn other, int look) {
  if (look < kLooks)
    sys::call(__NR_sched_yield);
  else
    sys::call(__NR_futex, sys::arg(&shared.turn), FUTEX_WAIT, other, sys::arg(&kPatience));
}

// The jail inherits where it may run: on every processor that there will be, unless the caller chose some.
void stand_where_the_caller_may() {
  Processors any, now;
  for (uint64_t& word : any.bits) word = ~0UL;
  if (any.set_for(0) < 0 || now.of_caller() < 0 ||
      __builtin_memcmp(&now, &shared.processors, sizeof now) != 0)
    shared.processors.set_for(0);
}

int help(void*) {
  shared.elsewhere.set_for(0);  // it may have begun where it was made
  if (!take(kWaiting, kMaking)) return 1;
  const uint64_t all = ~0UL;
  sys::call(__NR_rt_sigprocmask, SIG_SETMASK, sys::arg(&all), 0,
            8);  // as the supervisor is at a clone of its own
  sys::call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (sys::call(__NR_getppid) != shared.parent) return 1;
  sys::call(__NR_umask, 0);
  shared.result = sys::call(__NR_unshare, static_cast<long>(HeadStart::kNamespaces));
  give(kMade);
  if (shared.result < 0) return 1;
  for (int look = 0; turn() == kMade; look++) wait_while(kMade, look);
  stand_where_the_caller_may();  // not before: who waits for a lock is woken beside who had it
  shared.args.flags |= uapi::kCloneParent | uapi::kCloneNewPid;
  shared.args.exit_signal = 0;  // as clone3(2) wants it beside CLONE_PARENT
  long pid = sys::call(__NR_clone3, sys::arg(&shared.args), sizeof shared.args);
  if (pid == 0) return shared.fn(shared.argument);
  shared.result = pid;
  give(kDone);
  return 0;
}

}  // namespace

void HeadStart::begin() {
  uint32_t here = 0;
  if (shared.processors.of_caller() < 0 || shared.processors.only_one()) return;
  if (sys::call(__NR_getcpu, sys::arg(&here), 0, 0) < 0 || here >= kProcessors) return;
  shared.turn = kWaiting;
  shared.parent = static_cast<int>(sys::call(__NR_getpid));
  shared.elsewhere = shared.processors;
  shared.elsewhere.bits[here / 64] &= ~(1UL << (here % 64));
  uapi::CloneArgs args{};
  args.flags = uapi::kCloneVm | uapi::kCloneFiles;
  args.stack = reinterpret_cast<uint64_t>(stack);
  args.stack_size = sizeof stack;
  pid_ = sys::clone_call(&args, sizeof args, help, nullptr);
  // A new process mostly waits for the processor that it was made on.
  if (pid_ > 0) shared.elsewhere.set_for(pid_);
}

bool HeadStart::done_with(uint32_t other) {
  for (int look = 0; turn() == other; look++) {
    wait_while(static_cast<Turn>(other), look);
    if (look < kLooks || sys::call(__NR_wait4, pid_, 0, WNOHANG | kWall, 0) == 0) continue;
    pid_ = 0;  // somebody has killed it
    return turn() != other;
  }
  return true;
}

long HeadStart::clone(const uapi::CloneArgs& args, int (*fn)(void*), void* argument) {
  // Where all processors are busy it has not come to run: to wait for it would cost more than it saves.
  too_late_ = take(kWaiting, kTooLate);
  if (too_late_ || !done_with(kMaking)) return -ECHILD;
  if (shared.result < 0) return shared.result;
  shared.args = args;
  shared.fn = fn;
  shared.argument = argument;
  give(kWanted);
  return done_with(kWanted) ? shared.result : -ECHILD;
}

void HeadStart::end() {
  if (pid_ <= 0) return;
  sys::call(__NR_kill, pid_, SIGKILL);
  while (sys::call(__NR_wait4, pid_, 0, kWall, 0) == -EINTR) {
  }
  pid_ = 0;
}

}  // namespace immure::run
