// Makes one system call of one process fail, or kills the process right there: how a launch is shown to fail closed at
// every point, in the program as it is released. Or it lies: the call is not done, and says that it was.
//
//   saboteur REPORT WHO NTH ERRNO|kill|none|lie:CALL[:WHICH] COMMAND…
//
// WHO counts processes in the order of their birth: 0 is the command, 1 its first child, … "any" is each of them. NTH
// counts that process's system calls from 1 until it starts a program (the command's own start is not counted). REPORT
// gets a line, "hit NAME", when there was such a call; it stays empty when the process had fewer. Ends with the
// command's status, 128 + n for a signal. Source: ptrace(2).
//
// A lie about being apart is refused to root: who believes to be in namespaces of its own, and is not, would mount, and
// set the kernel's values, on the host itself.
//
// For a lie only calls of that name count, and of WHICH when it is given; NTH 0 means all of them.
//   a number   the first argument; of prlimit64 the resource that is set, of seccomp the flags of a filter that is
//              loaded; of clone3, fsmount and mount_setattr bits that are taken out of what is asked for, while the
//              rest of the call is done
//   a text     how the path ends that the call is about: write, by its descriptor; mount, umount2, chdir, move_mount's
//              target; or the whole key of fsconfig
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "uapi/syscalls.h"

namespace {

constexpr size_t kAnybody = ~size_t{0};

struct Order {
  int report = -1;
  size_t who = 0;
  long nth = 0;
  int error = 0;   // 0: none
  bool kill = false;
  std::string lie, which;   // the call's name; empty: no lie
};

struct Tracee {
  pid_t pid = -1;
  long calls = 0;
  bool failing = false;   // between the entry of the call that is not to be done and its exit
  long result = 0;        // what that call then says
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

// A text in the memory of a process that stands still.
std::string text_at(pid_t pid, unsigned long address) {
  char buffer[256] = {};
  iovec mine{buffer, sizeof buffer - 1}, theirs{reinterpret_cast<void*>(address), sizeof buffer - 1};
  ssize_t n = process_vm_readv(pid, &mine, 1, &theirs, 1, 0);
  // The end of a page may be the end of what can be read.
  for (size_t size = 4096 - address % 4096; n < 0 && size < sizeof buffer; size = sizeof buffer) {
    theirs.iov_len = size;
    n = process_vm_readv(pid, &mine, 1, &theirs, 1, 0);
  }
  return n > 0 ? std::string(buffer) : std::string();
}

std::string path_of(pid_t pid, unsigned long fd) {
  char path[4096];
  const std::string link = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(static_cast<int>(fd));
  ssize_t n = readlink(link.c_str(), path, sizeof path);
  return n > 0 ? std::string(path, static_cast<size_t>(n)) : std::string();
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// What asks for more than one thing at once: bits of it can be left out.
bool asks_for_bits(std::string_view call) { return call == "clone3" || call == "fsmount" || call == "mount_setattr"; }

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

  bool is_meant(const Tracee& tracee) const {
    return order_.who == kAnybody || static_cast<size_t>(&tracee - tracees_.data()) == order_.who;
  }

  // Is it a call that the lie is about?
  bool is_lied_about(pid_t pid, const __ptrace_syscall_info& info) const {
    const std::string call = call_name(info.entry.nr);
    if (call != order_.lie) return false;
    if (order_.which.empty()) return true;
    const auto& args = info.entry.args;
    if (order_.which[0] >= '0' && order_.which[0] <= '9') {
      const unsigned long number = std::strtoul(order_.which.c_str(), nullptr, 0);
      if (call == "clone3") return (peek(pid, args[0]) & number) == number;
      if (call == "fsmount") return (args[2] & number) == number;
      if (call == "mount_setattr") return (peek(pid, args[3]) & number) == number;
      if (call == "prlimit64") return args[1] == number && args[2] != 0;
      if (call == "seccomp") return args[0] == SECCOMP_SET_MODE_FILTER && args[1] == number;
      return args[0] == number;
    }
    if (call == "fsconfig") return text_at(pid, args[2]) == order_.which;
    if (call == "write") return ends_with(path_of(pid, args[0]), order_.which);
    if (call == "move_mount") return ends_with(path_of(pid, args[2]), order_.which);
    return ends_with(text_at(pid, args[call == "mount" ? 1 : 0]), order_.which);
  }

  static unsigned long peek(pid_t pid, unsigned long address) {
    return static_cast<unsigned long>(ptrace(PTRACE_PEEKDATA, pid, address, nullptr));
  }

  void lie(Tracee& tracee, const __ptrace_syscall_info& info) {
    if (asks_for_bits(order_.lie) && !order_.which.empty()) {
      const unsigned long bits = std::strtoul(order_.which.c_str(), nullptr, 0);
      if (order_.lie == "fsmount") {
        ptrace(PTRACE_POKEUSER, tracee.pid, offsetof(user_regs_struct, rdx), info.entry.args[2] & ~bits);
      } else {
        const unsigned long address = info.entry.args[order_.lie == "clone3" ? 0 : 3];
        ptrace(PTRACE_POKEDATA, tracee.pid, address, peek(tracee.pid, address) & ~bits);
      }
      return;
    }
    skip(tracee, order_.lie == "write" ? static_cast<long>(info.entry.args[2]) : 0);
  }

  static void skip(Tracee& tracee, long result) {
    tracee.failing = true;
    tracee.result = result;
    ptrace(PTRACE_POKEUSER, tracee.pid, offsetof(user_regs_struct, orig_rax), -1L);
  }

  // At a call's entry or exit; false when the process was killed.
  bool call(Tracee& tracee) {
    __ptrace_syscall_info info{};
    ptrace(PTRACE_GET_SYSCALL_INFO, tracee.pid, sizeof info, &info);
    if (info.op == PTRACE_SYSCALL_INFO_EXIT && tracee.failing) {
      tracee.failing = false;
      ptrace(PTRACE_POKEUSER, tracee.pid, offsetof(user_regs_struct, rax), tracee.result);
    }
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY || !started_ || !is_meant(tracee)) return true;
    if (!order_.lie.empty() && !is_lied_about(tracee.pid, info)) return true;
    if (++tracee.calls != order_.nth && (order_.nth != 0 || order_.lie.empty())) return true;
    dprintf(order_.report, "hit %s\n", call_name(info.entry.nr));
    if (order_.kill) {
      kill(tracee.pid, SIGKILL);
      return false;
    }
    if (!order_.lie.empty()) lie(tracee, info);
    if (order_.error != 0) skip(tracee, -order_.error);
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

bool is_call(std::string_view name) {
  for (const auto& row : immure::uapi::syscalls_x86_64()) {
    if (name == row.name) return true;
  }
  return false;
}

// Without privilege the host takes no harm from who mistakes it for a jail.
bool lets_loose_on_the_host(const Order& order) {
  constexpr unsigned long kNewUser = 0x10000000;
  if (geteuid() != 0) return false;
  if (order.lie == "unshare" || order.lie == "setns") return true;
  return order.lie == "clone3" && (order.which.empty() || (std::strtoul(order.which.c_str(), nullptr, 0) & kNewUser) != 0);
}

bool take_how(std::string_view how, Order& order) {
  if (how.substr(0, 4) == "lie:") {
    how.remove_prefix(4);
    const size_t colon = how.find(':');
    order.lie = how.substr(0, colon);
    if (colon != std::string_view::npos) order.which = how.substr(colon + 1);
    return is_call(order.lie) && !lets_loose_on_the_host(order);
  }
  order.kill = how == "kill";
  order.error = errno_of(how);
  return order.kill || order.error != 0 || how == "none";
}

}  // namespace

int main(int argc, char** argv) {
  Order order;
  if (argc < 6) {
    std::fprintf(stderr, "usage: saboteur REPORT WHO NTH ERRNO|kill|none|lie:CALL[:WHICH] COMMAND...\n");
    return 2;
  }
  order.report = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  order.who = std::strcmp(argv[2], "any") == 0 ? kAnybody : std::strtoul(argv[2], nullptr, 10);
  order.nth = std::atol(argv[3]);
  if (order.report < 0 || !take_how(argv[4], order)) {
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
