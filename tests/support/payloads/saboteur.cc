// Makes one system call of one process fail, or kills the process right there: how a launch is shown to fail closed at
// every point, in the program as it is released.
//
//   saboteur REPORT WHO NTH ERRNO|kill|none COMMAND…
//
// WHO counts processes in the order of their birth: 0 is the command, 1 its first child … NTH counts that process's
// system calls from 1 until it starts a program (the command's own start is not counted). REPORT gets one line,
// "hit NAME", when there was such a call; it stays empty when the process had fewer. Ends with the command's status,
// 128 + n for a signal. Source: ptrace(2).
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "uapi/syscalls.h"

namespace {

struct Order {
  int report = -1;
  size_t who = 0;
  long nth = 0;
  int error = 0;   // 0: none
  bool kill = false;
};

struct Tracee {
  pid_t pid = -1;
  long calls = 0;
  bool failing = false;   // between the entry of the call that is to fail and its exit
  bool done = false;      // has started a program: not counted any more
};

const char* call_name(unsigned long number) {
  for (const auto& row : immure::uapi::syscalls_x86_64()) {
    if (row.number == number) return row.name;
  }
  return "unknown";
}

int errno_of(std::string_view name) {
  for (int i = 1; i < 134; ++i) {
    const char* known = strerrorname_np(i);
    if (known != nullptr && name == known) return i;
  }
  return 0;
}

class Saboteur {
 public:
  Saboteur(const Order& order, pid_t command) : order_(order) { tracees_.push_back({command}); }

  // Until the command has ended; its status as a shell shows it.
  int run() {
    for (;;) {
      int status = 0;
      pid_t pid = waitpid(-1, &status, __WALL);
      if (pid < 0) return 99;
      if (WIFSTOPPED(status)) {
        stopped(pid, status);
      } else if (pid == tracees_[0].pid) {
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
      }
    }
  }

 private:
  Tracee* find(pid_t pid) {
    for (Tracee& tracee : tracees_) {
      if (tracee.pid == pid) return &tracee;
    }
    return nullptr;
  }

  void stopped(pid_t pid, int status) {
    const int signal_number = WSTOPSIG(status);
    const int event = status >> 16;
    int pass_on = 0;
    Tracee* tracee = find(pid);
    if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK) {
      unsigned long child = 0;
      ptrace(PTRACE_GETEVENTMSG, pid, nullptr, &child);
      if (find(static_cast<pid_t>(child)) == nullptr) tracees_.push_back({static_cast<pid_t>(child)});
    } else if (event == PTRACE_EVENT_EXEC) {
      // The command's own start is the first; any later one is a program that is none of our business.
      if (started_ && tracee != nullptr) tracee->done = true;
      started_ = true;
    } else if (event == PTRACE_EVENT_STOP) {
      // The stop of a new tracee, or of a group stop.
      if (tracee == nullptr) tracees_.push_back({pid});
      if (signal_number == SIGSTOP || signal_number == SIGTSTP || signal_number == SIGTTIN || signal_number == SIGTTOU) {
        ptrace(PTRACE_LISTEN, pid, nullptr, nullptr);
        return;
      }
    } else if (signal_number == (SIGTRAP | 0x80)) {
      if (tracee != nullptr && !call(*tracee)) return;
    } else {
      pass_on = signal_number;
    }
    tracee = find(pid);
    // A program that was started runs as fast as ever.
    ptrace(tracee != nullptr && tracee->done ? PTRACE_CONT : PTRACE_SYSCALL, pid, nullptr, pass_on);
  }

  // At a call's entry or exit; false when the process was killed.
  bool call(Tracee& tracee) {
    __ptrace_syscall_info info{};
    ptrace(PTRACE_GET_SYSCALL_INFO, tracee.pid, sizeof info, &info);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY && started_ && static_cast<size_t>(&tracee - tracees_.data()) == order_.who) {
      if (++tracee.calls == order_.nth) {
        dprintf(order_.report, "hit %s\n", call_name(info.entry.nr));
        if (order_.kill) {
          kill(tracee.pid, SIGKILL);
          return false;
        }
        if (order_.error != 0) {
          tracee.failing = true;
          ptrace(PTRACE_POKEUSER, tracee.pid, offsetof(user_regs_struct, orig_rax), -1L);
        }
      }
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && tracee.failing) {
      tracee.failing = false;
      ptrace(PTRACE_POKEUSER, tracee.pid, offsetof(user_regs_struct, rax), static_cast<long>(-order_.error));
    }
    return true;
  }

  Order order_;
  std::vector<Tracee> tracees_;
  bool started_ = false;
};

bool attach(pid_t pid) {
  const unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                                PTRACE_O_TRACEEXEC;
  return ptrace(PTRACE_SEIZE, pid, nullptr, options) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  Order order;
  if (argc < 6) {
    std::fprintf(stderr, "usage: saboteur REPORT WHO NTH ERRNO|kill|none COMMAND...\n");
    return 2;
  }
  order.report = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  order.who = std::strtoul(argv[2], nullptr, 10);
  order.nth = std::atol(argv[3]);
  order.kill = std::strcmp(argv[4], "kill") == 0;
  order.error = errno_of(argv[4]);
  if (order.report < 0 || (order.error == 0 && !order.kill && std::strcmp(argv[4], "none") != 0)) {
    std::fprintf(stderr, "saboteur: bad words\n");
    return 2;
  }
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) return 2;
  pid_t command = fork();
  if (command == 0) {
    char byte;
    close(ready[1]);
    if (read(ready[0], &byte, 1) < 0) _exit(2);  // until it is traced
    execvp(argv[5], argv + 5);
    std::perror(argv[5]);
    _exit(127);
  }
  if (!attach(command)) {
    std::perror("saboteur: ptrace");
    kill(command, SIGKILL);
    return 2;
  }
  close(ready[0]);
  close(ready[1]);
  return Saboteur(order, command).run();
}
