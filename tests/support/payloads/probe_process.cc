// Other processes, and the own life: signals, tracing, identity, exec.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "probe.h"

namespace probe {
namespace {

pid_t pid_of(const std::string& word) { return static_cast<pid_t>(number(word)); }

Verdict do_kill(const Words& words) {
  return of(kill(pid_of(words[0]), static_cast<int>(number(word_or(words, 1, "0")))));
}
Verdict do_ptrace(const Words& words) { return of(ptrace(PTRACE_SEIZE, pid_of(words[0]), nullptr, nullptr)); }
Verdict do_ptrace_child(const Words&) {
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  Verdict verdict = of(ptrace(PTRACE_SEIZE, child, nullptr, nullptr));
  kill(child, SIGKILL);
  return verdict;
}
Verdict do_vm_read(const Words& words) {
  char byte = 0;
  iovec mine{&byte, 1}, theirs{reinterpret_cast<void*>(0x400000), 1};
  return of(process_vm_readv(pid_of(words[0]), &mine, 1, &theirs, 1, 0));
}
Verdict do_pidfd_getfd(const Words& words) {
  int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid_of(words[0]), 0));
  if (pidfd < 0) return error(errno, "pidfd_open");
  return of(syscall(SYS_pidfd_getfd, pidfd, number(word_or(words, 1, "0")), 0));
}
Verdict do_prlimit(const Words& words) {
  rlimit limit{};
  return of(prlimit(pid_of(words[0]), RLIMIT_CORE, &limit, nullptr));
}
Verdict do_affinity(const Words& words) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  return of(sched_setaffinity(pid_of(words[0]), sizeof set, &set));
}
Verdict do_kcmp(const Words& words) { return of(syscall(SYS_kcmp, getpid(), pid_of(words[0]), 0, 0, 0)); }
Verdict do_nice(const Words& words) {
  return of(setpriority(PRIO_PROCESS, 0, static_cast<int>(number(words[0]))));
}
Verdict do_realtime(const Words&) {
  sched_param parameters{};
  parameters.sched_priority = 1;
  return of(sched_setscheduler(0, SCHED_FIFO, &parameters));
}

// ---- identity -----------------------------------------------------------------------------------------------
// Raw calls: libc's wrappers do more than the kernel asks.
Verdict do_setuid(const Words& words) { return of(syscall(SYS_setresuid, number(words[0]), number(words[0]), number(words[0]))); }
Verdict do_setgid(const Words& words) { return of(syscall(SYS_setresgid, number(words[0]), number(words[0]), number(words[0]))); }
Verdict do_setgroups(const Words&) { return of(syscall(SYS_setgroups, 0, nullptr)); }
Verdict do_cap_raise(const Words& words) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  const long which = number(words[0]);
  data[which / 32].effective = data[which / 32].permitted = 1u << (which % 32);
  return of(syscall(SYS_capset, &header, data));
}
Verdict do_cap_ambient(const Words& words) {
  return of(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, static_cast<unsigned long>(number(words[0])), 0, 0));
}
Verdict do_securebits(const Words& words) {
  if (!words.empty()) return of(prctl(PR_SET_SECUREBITS, static_cast<unsigned long>(number(words[0])), 0, 0, 0));
  int bits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
  char text[16];
  std::snprintf(text, sizeof text, "%#x", static_cast<unsigned>(bits));
  return of(bits, text);
}

// ---- the own life ---------------------------------------------------------------------------------------------
Verdict do_exec(const Words& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  return error(errno, "execve");
}
Verdict do_exit(const Words& words) { std::exit(static_cast<int>(number(words[0]))); }
Verdict do_die(const Words& words) {
  int signal_number = static_cast<int>(number(words[0]));
  signal(signal_number, SIG_DFL);
  raise(signal_number);
  return error(EINVAL, "still alive");
}
Verdict do_sleep(const Words& words) {
  double seconds = std::strtod(words[0].c_str(), nullptr);
  timespec time{static_cast<time_t>(seconds), static_cast<long>((seconds - static_cast<double>(static_cast<time_t>(seconds))) * 1e9)};
  while (nanosleep(&time, &time) != 0 && errno == EINTR) continue;
  return ok();
}
Verdict do_echo(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return ok(text);
}
Verdict do_stderr(const Words& words) {
  return of(dprintf(2, "%s\n", words[0].c_str()));
}
Verdict do_stdin(const Words&) {
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(0, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
  return ok(text);
}

// wait-signal SECONDS: says "ready", then names the first signal that comes.
Verdict do_wait_signal(const Words& words) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, nullptr);
  std::printf("ready: ok %d\n", getpid());
  std::fflush(stdout);
  timespec limit{number(word_or(words, 0, "30")), 0};
  siginfo_t info{};
  for (;;) {
    int got = sigtimedwait(&all, &info, &limit);
    if (got < 0) return error(errno);
    if (got == SIGCHLD) continue;
    const char* name = sigabbrev_np(got);
    return ok(name != nullptr ? name : std::to_string(got));
  }
}

// Of the probe itself: 0 takes it off.
Verdict do_pdeathsig(const Words& words) { return of(prctl(PR_SET_PDEATHSIG, number(words[0]), 0, 0, 0)); }

// A grandchild whose parent has ended; it says who its parent is now.
Verdict do_orphan(const Words&) {
  int ends[2];
  if (pipe(ends) != 0) return error(errno);
  pid_t child = fork();
  if (child == 0) {
    if (fork() == 0) {
      for (int i = 0; i < 200 && getppid() != 1; ++i) usleep(5000);
      dprintf(ends[1], "%d", getppid());
      _exit(0);
    }
    _exit(0);
  }
  close(ends[1]);
  waitpid(child, nullptr, 0);
  char text[16] = {};
  ssize_t n = read(ends[0], text, sizeof text - 1);
  return n > 0 ? ok(text) : error(ECHILD);
}

// daemon SECONDS: a process of an own session that outlives the probe; its output is closed.
Verdict do_daemon(const Words& words) {
  pid_t child = fork();
  if (child < 0) return error(errno);
  if (child == 0) {
    setsid();
    for (int fd = 0; fd < 64; ++fd) close(fd);
    for (int signal_number : {SIGTERM, SIGHUP, SIGINT}) signal(signal_number, SIG_IGN);
    sleep(static_cast<unsigned>(number(words[0])));
    _exit(0);
  }
  return ok(std::to_string(child));
}

Verdict do_pid(const Words&) { return ok(std::to_string(getppid())); }

constexpr Action kActions[] = {
    {"kill", "PID [SIGNAL]", 1, do_kill},
    {"ptrace", "PID", 1, do_ptrace},
    {"ptrace-child", "", 0, do_ptrace_child},
    {"vm-read", "PID", 1, do_vm_read},
    {"pidfd-getfd", "PID [FD]", 1, do_pidfd_getfd},
    {"prlimit", "PID", 1, do_prlimit},
    {"affinity", "PID", 1, do_affinity},
    {"kcmp", "PID", 1, do_kcmp},
    {"nice", "VALUE", 1, do_nice},
    {"realtime", "", 0, do_realtime},
    {"setuid", "UID", 1, do_setuid},
    {"setgid", "GID", 1, do_setgid},
    {"setgroups", "", 0, do_setgroups},
    {"cap-raise", "NUMBER", 1, do_cap_raise},
    {"cap-ambient", "NUMBER", 1, do_cap_ambient},
    {"securebits", "[BITS]", 0, do_securebits},
    {"exec", "PATH [WORD...]", 1, do_exec, true},
    {"exit", "STATUS", 1, do_exit, true},
    {"die", "SIGNAL", 1, do_die, true},
    {"die-apart", "SIGNAL", 1, do_die},
    {"sleep", "SECONDS", 1, do_sleep, true},
    {"echo", "WORD...", 0, do_echo, true},
    {"stderr", "TEXT", 1, do_stderr, true},
    {"stdin", "", 0, do_stdin, true},
    {"wait-signal", "[SECONDS]", 0, do_wait_signal, true},
    {"pdeathsig", "SIGNAL", 1, do_pdeathsig, true},
    {"orphan", "", 0, do_orphan},
    {"daemon", "SECONDS", 1, do_daemon},
    {"pid", "", 0, do_pid},
};

}  // namespace

std::span<const Action> process_actions() { return kActions; }

}  // namespace probe
