// watch_floor KIND WORD…: the least that a supervisor of that kind can do, which is to let everything go on.
// What a watch costs beyond it is what the watch itself does.
//   notify   each execve and openat waits for this program (seccomp, user notification, woken synchronously)
//   traced   each execve and openat stops for it (seccomp, RET_TRACE)
//   ptrace   each call stops for it, twice
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string_view>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

namespace {

int filter(uint32_t action, unsigned flags) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, action),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{sizeof code / sizeof *code, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

int status_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

// The listener comes to the supervisor by a copy of the child's table of descriptors: the two share it (vfork
// would stop this one), so the number alone is told.
int notify(char** words) {
  int told[2];
  if (pipe(told) != 0) return 125;
  const pid_t pid = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD | 0x400 /* CLONE_FILES */, 0, 0, 0, 0));
  if (pid == 0) {
    const int listener = filter(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (write(told[1], &listener, sizeof listener) != sizeof listener) _exit(125);
    execvp(words[0], words);
    _exit(127);
  }
  int listener = -1;
  if (pid < 0 || read(told[0], &listener, sizeof listener) != sizeof listener || listener < 0) return 125;
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, 1UL);
  for (;;) {
    pollfd ready{listener, POLLIN, 0};
    if (poll(&ready, 1, -1) < 0 || (ready.revents & POLLIN) == 0) break;
    seccomp_notif asked{};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) continue;
    seccomp_notif_resp answer{};
    answer.id = asked.id;
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return status_of(status);
}

int trace(char** words, bool each) {
  const pid_t first = fork();
  if (first == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    if (!each) filter(SECCOMP_RET_TRACE, 0);
    execvp(words[0], words);
    _exit(127);
  }
  int status = 0, end = 125;
  waitpid(first, &status, 0);
  ptrace(PTRACE_SETOPTIONS, first, 0,
         PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
             PTRACE_O_TRACESYSGOOD | (each ? 0 : PTRACE_O_TRACESECCOMP));
  const auto go_on = each ? PTRACE_SYSCALL : PTRACE_CONT;
  ptrace(go_on, first, 0, 0);
  for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
    if (!WIFSTOPPED(status)) {
      if (pid == first) end = status_of(status);
      continue;
    }
    const int signal = WSTOPSIG(status);
    const bool own =
        status >> 16 != 0 || signal == (SIGTRAP | 0x80) || signal == SIGSTOP || signal == SIGTRAP;
    ptrace(go_on, pid, 0, own ? 0 : signal);
  }
  return end;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::string_view kind = argv[1];
  if (kind == "notify") return notify(argv + 2);
  if (kind == "traced") return trace(argv + 2, false);
  if (kind == "ptrace") return trace(argv + 2, true);
  return 2;
}
