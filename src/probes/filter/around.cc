// Around a filter that is there: other threads and programs, filters on top of it, tracers, interrupted and
// many calls.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <ctime>

#include "probes/filter/denied.h"
#include "probes/inside.h"

namespace immure::probes {
namespace {

int error_of(long result) { return result >= 0 ? 0 : errno; }

Attempt missing(const Yard&, const Probe&) {
  int mode = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);
  if (mode < 0) return stopped("prctl");
  return mode == 0 ? exposed("no filter is in force") : stopped("a filter is in force", EPERM);
}

Attempt plain(const Yard&, const Probe&) { return judge_denied("add_key", error_of(call_denied())); }

Attempt in_thread(const Yard&, const Probe&) {
  pthread_t thread;
  static int error = 0;
  auto body = [](void*) -> void* { return error = error_of(call_denied()), nullptr; };
  if (int failed = pthread_create(&thread, nullptr, body, nullptr); failed != 0)
    return stopped("thread", failed);
  pthread_join(thread, nullptr);
  return judge_denied("add_key", error);
}

// This very program once more, with the plain attempt.
Attempt after_exec(const Yard&, const Probe&) {
  int ends[2];
  if (pipe(ends) != 0) return stopped("pipe");
  pid_t child = fork();
  if (child < 0) return stopped("fork");
  if (child == 0) {
    dup2(ends[1], 1);
    char* const words[] = {const_cast<char*>("immure-probe"), const_cast<char*>("--"),
                           const_cast<char*>("filter-denied"), nullptr};
    execv("/proc/self/exe", words);
    _exit(1);
  }
  close(ends[1]);
  char said[512];
  size_t have = 0;
  pollfd wait_for{ends[0], POLLIN, 0};
  while (have < sizeof said - 1 && poll(&wait_for, 1, 1500) > 0) {
    ssize_t n = read(ends[0], said + have, sizeof said - 1 - have);
    if (n <= 0) break;
    have += static_cast<size_t>(n);
  }
  said[have] = '\0';
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  if (have == 0) return stopped("execve", EACCES);
  return std::strstr(said, "\texposed\t") != nullptr
             ? exposed("after execve the kernel answers a call that filters deny")
             : stopped("add_key", EPERM);
}

// A filter of one's own: `for_denied` for the denied call, everything else passes.
int put_filter(uint32_t for_denied, unsigned flags) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kDeniedCall, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, for_denied),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program{sizeof code / sizeof *code, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

Attempt allowing_filter(const Yard&, const Probe&) {
  if (put_filter(SECCOMP_RET_ALLOW, 0) != 0) return stopped("seccomp");
  return judge_denied("add_key", error_of(call_denied()));
}

// Answers the one call that is reported with "go on".
int listener = -1, ready[2];
void* answer(void*) {
  char byte;
  if (read(ready[0], &byte, 1) != 1) return nullptr;
  pollfd wait_for{listener, POLLIN, 0};
  alignas(8) char question[1024] = {}, reply[1024] = {};
  if (poll(&wait_for, 1, 700) > 0 && ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, question) == 0) {
    reinterpret_cast<seccomp_notif_resp*>(reply)->id = reinterpret_cast<seccomp_notif*>(question)->id;
    reinterpret_cast<seccomp_notif_resp*>(reply)->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, reply);
  }
  close(listener);  // who waits for an answer hears ENOSYS
  return nullptr;
}
Attempt own_listener(const Yard&, const Probe&) {
  pthread_t thread;
  if (pipe2(ready, O_CLOEXEC) != 0) return stopped("pipe2");
  if (int failed = pthread_create(&thread, nullptr, answer, nullptr); failed != 0)
    return stopped("thread", failed);
  listener = put_filter(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
  if (listener < 0) return stopped("seccomp listener");
  if (write(ready[1], "", 1) != 1) return stopped("write");
  int error = error_of(call_denied());
  pthread_join(thread, nullptr);
  return judge_denied("add_key", error);
}

// ---- tracers
// ------------------------------------------------------------------------------------------------------

// A stopped child that waits for its tracer, who then lets it make a harmless call; -1 with errno.
pid_t traced_child() {
  pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(errno);
    put_filter(SECCOMP_RET_ALLOW, 0);
    raise(SIGSTOP);
    syscall(SYS_getppid, 0, 0, 0, 0, 0);
    _exit(0);
  }
  if (child < 0) return -1;
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSTOPPED(status)) return child;
  errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
  return -1;
}
void end_child(pid_t child) {
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}
bool next_call(pid_t child) {
  int status = 0;
  return ptrace(PTRACE_SYSCALL, child, nullptr, nullptr) == 0 && waitpid(child, &status, 0) == child &&
         WIFSTOPPED(status);
}

Attempt change_number(const Yard&, const Probe&) {
  pid_t child = traced_child();
  if (child < 0) return stopped("ptrace");
  user_regs_struct registers;
  Attempt attempt = stopped("ptrace syscall", EIO);
  if (next_call(child) && ptrace(PTRACE_GETREGS, child, nullptr, &registers) == 0) {
    registers.orig_rax = kDeniedCall;
    registers.rdi = registers.rsi = registers.rdx = registers.r10 = registers.r8 = 0;
    ptrace(PTRACE_SETREGS, child, nullptr, &registers);
    if (next_call(child) && ptrace(PTRACE_GETREGS, child, nullptr, &registers) == 0)
      attempt = judge_denied("add_key", static_cast<int>(-static_cast<long>(registers.rax)));
  }
  end_child(child);
  return attempt;
}
Attempt suspend(const Yard&, const Probe&) {
  constexpr long kSuspend = 1 << 21;  // PTRACE_O_SUSPEND_SECCOMP
  pid_t child = traced_child();
  if (child < 0) return stopped("ptrace");
  Attempt attempt = ptrace(PTRACE_SETOPTIONS, child, nullptr, reinterpret_cast<void*>(kSuspend)) != 0
                        ? stopped("ptrace options")
                        : exposed("a tracer has suspended the filter of its child");
  end_child(child);
  return attempt;
}
Attempt read_filter(const Yard&, const Probe&) {
  constexpr int kGetFilter = 0x420c;  // PTRACE_SECCOMP_GET_FILTER
  pid_t child = traced_child();
  if (child < 0) return stopped("ptrace");
  long size = syscall(SYS_ptrace, kGetFilter, child, 0L, nullptr);
  Attempt attempt =
      size < 0 ? stopped("ptrace filter") : exposed("a filter of %ld instructions can be read", size);
  end_child(child);
  return attempt;
}
Attempt trace(const Yard& yard, const Probe& row) {
  static constexpr Attempt (*kWays[])(const Yard&, const Probe&) = {change_number, suspend, read_filter};
  return apart(kWays[row.number], yard, row);
}

// ---- many and interrupted calls
// --------------------------------------------------------------------------------------

Attempt flood(const Yard&, const Probe&) {
  constexpr int kProcesses = 4, kTimes = 500;
  pid_t children[kProcesses];
  for (pid_t& child : children) {
    child = fork();
    if (child != 0) continue;
    int error = 0;
    for (int i = 0; i < kTimes && error != EFAULT; ++i) error = error_of(call_denied());
    _exit(error);
  }
  int error = EAGAIN;
  for (pid_t child : children) {
    int status = 0;
    if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && error != EFAULT)
      error = WEXITSTATUS(status);
  }
  return judge_denied("add_key", error);
}

// A call that is answered from outside may take longer than the time to the next signal, on a slow machine
// always: after two seconds at most the storm ends, and the call does.
time_t storm_ends;
void weather(int) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const itimerval never{};
  if (now.tv_sec >= storm_ends) setitimer(ITIMER_REAL, &never, nullptr);
}

Attempt interrupted(const Yard&, const Probe&) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  storm_ends = now.tv_sec + 2;
  struct sigaction action {};
  action.sa_handler = weather;
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, nullptr);
  itimerval often = {{0, 100}, {0, 100}}, never = {};
  setitimer(ITIMER_REAL, &often, nullptr);
  int error = 0, seen = EINTR;
  for (int i = 0; i < 1000 && error != EFAULT; ++i) {
    error = error_of(call_denied());
    if (error != EINTR) seen = error;
  }
  setitimer(ITIMER_REAL, &never, nullptr);
  return judge_denied("add_key", seen);
}

constexpr Control kNoFilter = loosened("--seccomp none");
constexpr uint32_t kFilter = by(Layer::Seccomp);

constexpr Probe kAroundTheFilter[] = {
    {"filter-missing", Category::Filter, "no filter of system calls",
     "Asks whether a filter is in force at all. Without one every call of the kernel is within reach, some "
     "380 of them, most of which no program needs.",
     "seccomp(2), proc_pid_status(5)", kFilter, Proof::None, kNoFilter, missing},
    {"filter-denied", Category::Filter, "a call that tight filters deny",
     "Makes a call that hardly any program needs and that filters therefore deny, with nothing for an "
     "argument. The others of this family try to get the same call past the filter.",
     "add_key(2)", kFilter, Proof::None, kNoFilter, plain},
    {"filter-thread", Category::Filter, "a denied call from another thread",
     "A filter belongs to a thread and is inherited by those it makes. One that is put in place late, by one "
     "of several threads, leaves the others free.",
     "seccomp(2), SECCOMP_FILTER_FLAG_TSYNC", kFilter, Proof::None, kNoFilter, in_thread},
    {"filter-exec", Category::Filter, "a denied call after execve",
     "Starts the program anew and tries again. What is done by a library that is preloaded ends here; a "
     "filter of the kernel stays.",
     "seccomp(2)", kFilter, Proof::None, kNoFilter, after_exec},
    {"filter-own-allow", Category::Filter, "an own filter that allows what is denied",
     "Filters add up, and the strictest answer counts. A jail that lets its program replace the filter would "
     "fall to this.",
     "seccomp(2)", kFilter, Proof::None, kNoFilter, allowing_filter},
    {"filter-own-listener", Category::Filter, "an own listener that says: go on",
     "A program may answer reports of its own filter, and tell the kernel to go on with the call. Where the "
     "jail's filter reports calls, too, the younger filter is asked first.",
     "seccomp_unotify(2)", kFilter, Proof::None, kNoFilter, own_listener},
    {"filter-tracer-number", Category::Filter, "a tracer that changes the call's number",
     "A tracer stops its child at a harmless call and puts another number there. Before Linux 4.8 the filter "
     "had looked already, so that every jail that allowed ptrace had no filter.",
     "ptrace(2), kernel 4.8", kFilter, Proof::None, kNoFilter, trace, kPlain, "", 0},
    {"filter-tracer-suspend", Category::Filter, "a tracer that suspends the filter",
     "Made for saving and restoring processes: a tracer with CAP_SYS_ADMIN of the host that has no filter "
     "itself switches that of its child off. The attempt does it to a child of its own.",
     "ptrace(2), PTRACE_O_SUSPEND_SECCOMP", by(Layer::Seccomp, Layer::Capabilities, Layer::UserNs),
     Proof::None, kBare, trace, kPlain, "", 1},
    {"filter-tracer-read", Category::Filter, "read a filter by ptrace",
     "Tells the instructions of a filter, and so what was forgotten in it. It takes CAP_SYS_ADMIN of the "
     "host.",
     "ptrace(2), PTRACE_SECCOMP_GET_FILTER", by(Layer::Seccomp, Layer::Capabilities, Layer::UserNs),
     Proof::None, kBare, trace, kPlain, "", 2},
    {"filter-flood", Category::Filter, "2000 denied calls from four processes",
     "A supervisor that answers for the kernel has a queue and a limit. Whether calls get through when it is "
     "overrun shows only in numbers.",
     "seccomp_unotify(2)", kFilter, Proof::None, kNoFilter, flood},
    {"filter-interrupted", Category::Filter, "denied calls under a storm of signals",
     "A signal ends the wait for a supervisor's answer, and the call is made again: a gap if it were to slip "
     "through at the second time. A thousand calls are made while a timer fires ten thousand times a second.",
     "seccomp_unotify(2), SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", kFilter, Proof::None, kNoFilter,
     interrupted},
};

}  // namespace

std::span<const Probe> around_the_filter() { return kAroundTheFilter; }

}  // namespace immure::probes
