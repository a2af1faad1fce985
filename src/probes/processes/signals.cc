// Signals to who is outside, by each of the calls that send one. The witness counts what it gets.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "probes/processes/others.h"

namespace immure::probes {
namespace {

siginfo_t queued() {
  siginfo_t info{};
  info.si_signo = SIGUSR1;
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_uid = getuid();
  return info;
}

long by_kill(pid_t pid) { return kill(pid, SIGUSR1); }
long by_queue(pid_t pid) {
  siginfo_t info = queued();
  return syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &info);
}
long by_thread(pid_t pid) { return syscall(SYS_tgkill, pid, pid, SIGUSR1); }
long by_old_thread(pid_t pid) { return syscall(SYS_tkill, pid, SIGUSR1); }
long by_thread_queue(pid_t pid) {
  siginfo_t info = queued();
  return syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGUSR1, &info);
}
long by_pidfd(pid_t pid) {
  int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  return fd < 0 ? -1 : syscall(SYS_pidfd_send_signal, fd, SIGUSR1, nullptr, 0);
}
// A pipe whose owner gets a signal when something can be read; the kernel sends it, no call does.
long by_owner(pid_t pid) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  if (fcntl(ends[0], F_SETOWN, pid) != 0 || fcntl(ends[0], F_SETSIG, SIGUSR1) != 0) return -1;
  if (fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK) != 0) return -1;
  // Whether it was sent is not told: a process that it may not be sent to is passed over.
  if (write(ends[1], "x", 1) != 1) return -1;
  return kill(pid, 0);
}

struct Way {
  const char* call;
  long (*send)(pid_t pid);
};
constexpr Way kWays[] = {
    {"kill", by_kill},
    {"rt_sigqueueinfo", by_queue},
    {"tgkill", by_thread},
    {"tkill", by_old_thread},
    {"rt_tgsigqueueinfo", by_thread_queue},
    {"pidfd_send_signal", by_pidfd},
    {"fcntl F_SETOWN", by_owner},
};

Attempt send(const Yard& yard, const Probe& row) {
  Attempt why;
  const pid_t pid = target_of(yard, row, why);
  if (pid == 0) return why;
  const Way& way = kWays[row.number];
  return way.send(pid) == 0 ? escaped("a signal was sent to process %d outside by %s", pid, way.call)
                            : stopped(way.call);
}

// Signal 0 asks only: whoever belongs to the group of a process outside would get any other.
Attempt ask(const Yard& yard, const Probe& row) {
  Attempt why;
  const pid_t pid = target_of(yard, row, why);
  if (pid == 0) return why;
  return kill(pid, 0) == 0 ? exposed("process %d outside can be sent signals", pid) : stopped("kill");
}

Attempt ask_group(const Yard& yard, const Probe& row) {
  Attempt why;
  const pid_t pid = target_of(yard, row, why);
  if (pid == 0) return why;
  const pid_t group = getpgid(pid);
  if (group < 0) return stopped("getpgid");
  if (group == 0 || group == getpgrp()) return stopped("getpgid", ESRCH);  // it has none of this namespace
  return kill(-group, 0) == 0 ? exposed("the group %d outside can be sent signals", group) : stopped("kill");
}

// Who gets a signal to everybody: everyone with a number here. What is not of our session is somebody else's,
// but for the jail's first processes.
Attempt ask_everybody(const Yard&, const Probe&) {
  constexpr pid_t kMost = 70000;
  const pid_t session = getsid(0);
  int others = 0;
  pid_t last = 0;
  for (pid_t pid = 2; pid < kMost; ++pid) {
    if (kill(pid, 0) != 0 || getsid(pid) == session || getsid(pid) == getsid(1) || pid == getppid()) continue;
    ++others;
    last = pid;
  }
  if (others == 0) return stopped("kill", ESRCH);
  return exposed("kill(-1) would reach %d processes of other sessions, such as %d", others, last);
}

constexpr uint32_t kStoppedBy = by(Layer::PidNs);

constexpr Probe signal_row(const char* id, const char* technique, const char* about, const char* reference,
                           long way) {
  return {id,
          Category::Processes,
          technique,
          about,
          reference,
          kStoppedBy,
          Proof::Signal,
          kBare,
          send,
          kPlain,
          kWitness,
          way};
}
constexpr Probe question(const char* id, const char* technique, const char* about, const char* reference,
                         Attempt (*run)(const Yard&, const Probe&), const char* whom) {
  return {id,  Category::Processes, technique, about, reference, kStoppedBy, Proof::None, kBare, run, kPlain,
          whom};
}

constexpr Probe kSignalsOutside[] = {
    signal_row(
        "signal-kill", "kill of a process outside",
        "Sends SIGUSR1 to a process of the caller's by its number. What shares the number space and the user "
        "can be ended, stopped, or driven through its signal handlers.",
        "kill(2), pid_namespaces(7)", 0),
    signal_row("signal-queue", "rt_sigqueueinfo to a process outside",
               "Queues SIGUSR1 with a value and a made-up sender. It is the second of six calls that send a "
               "signal, each of which a filter has to know.",
               "rt_sigqueueinfo(2)", 1),
    signal_row(
        "signal-thread", "tgkill of a thread outside",
        "Sends SIGUSR1 to one thread of a process outside. The C library sends its own signals that way, so "
        "that no filter denies the call: only the number space stops it.",
        "tgkill(2)", 2),
    signal_row("signal-old-thread", "tkill of a thread outside",
               "Sends SIGUSR1 by the older call that names a thread only. It is obsolete since tgkill, and "
               "kept for old programs.",
               "tkill(2)", 3),
    signal_row("signal-thread-queue", "rt_tgsigqueueinfo to a thread outside",
               "Queues SIGUSR1 with a made-up sender for one thread outside. In the kernel since 2.6.31.",
               "rt_tgsigqueueinfo(2)", 4),
    signal_row("signal-pidfd", "a descriptor of a process, then a signal",
               "Opens a descriptor of the process outside and sends SIGUSR1 by that. Since 5.3 it is how a "
               "program holds on to a process whose number might be used again.",
               "pidfd_open(2), pidfd_send_signal(2)", 5),
    signal_row(
        "signal-owner", "the kernel sends it: the owner of a pipe",
        "Makes the process outside the owner of a pipe and writes to it: the kernel then sends the signal of "
        "its choice. No call that sends signals is made.",
        "F_SETOWN(2const), F_SETSIG", 6),
    question("signal-launcher", "the launcher can be sent signals",
             "Asks by signal 0 whether the process that started the jail could be sent signals. Whoever can "
             "stop it stops the time limit and the clearing up with it.",
             "kill(2)", ask, kLauncher),
    question("signal-group", "the group of a process outside",
             "Asks by signal 0 whether the process group of the witness could be sent signals. A group is a "
             "job of the caller's shell, and a signal to it reaches all of it.",
             "killpg(3)", ask_group, kWitness),
    question("signal-everybody", "kill(-1) reaches beyond the jail",
             "Counts by signal 0 who has a number here and is of another session. As many would a signal to "
             "process -1 reach, and end with SIGKILL.",
             "kill(2)", ask_everybody, ""),
};

}  // namespace

std::span<const Probe> signals_outside() { return kSignalsOutside; }

}  // namespace immure::probes
