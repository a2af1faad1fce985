// Processor time: that of others, and more than one's own share. What is set is what was there.
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "probes/processes/others.h"

namespace immure::probes {
namespace {

constexpr int kIoWhoProcess = 1;          // IOPRIO_WHO_PROCESS
constexpr int kIoRealTime = 1 << 13 | 7;  // the class of real time, its lowest level
constexpr long kIoPrioSet = SYS_ioprio_set, kIoPrioGet = SYS_ioprio_get;

// sched_setattr(2)
struct Attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};
constexpr uint32_t kDeadline = 6;  // SCHED_DEADLINE

long affinity(pid_t pid) {
  unsigned long mask[128] = {};
  long n = syscall(SYS_sched_getaffinity, pid, sizeof mask, mask);
  return n < 0 ? -1 : syscall(SYS_sched_setaffinity, pid, n, mask);
}
long policy(pid_t pid) {
  sched_param parameter{};
  long now = syscall(SYS_sched_getscheduler, pid);
  if (now < 0 || syscall(SYS_sched_getparam, pid, &parameter) != 0) return -1;
  return syscall(SYS_sched_setscheduler, pid, now, &parameter);
}
long nice_value(pid_t pid) {
  errno = 0;
  long now = 20 - syscall(SYS_getpriority, PRIO_PROCESS, pid);  // the call itself gives 40 to 1
  if (errno != 0) return -1;
  return syscall(SYS_setpriority, PRIO_PROCESS, pid, now);
}
long io_priority(pid_t pid) {
  long now = syscall(kIoPrioGet, kIoWhoProcess, pid);
  return now < 0 ? -1 : syscall(kIoPrioSet, kIoWhoProcess, pid, now);
}
long limits(pid_t pid) {
  uint64_t now[2] = {};
  return syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, nullptr, now);
}

struct Way {
  const char* call;
  long (*go)(pid_t pid);
};
constexpr Way kWays[] = {{"sched_setaffinity", affinity},
                         {"sched_setscheduler", policy},
                         {"setpriority", nice_value},
                         {"ioprio_set", io_priority},
                         {"prlimit64", limits}};

Attempt other(const Yard& yard, const Probe& row) {
  Attempt why;
  const pid_t pid = target_of(yard, row, why);
  if (pid == 0) return why;
  return door_to(kWays[row.number].call, kWays[row.number].go(pid));
}

// The rest is for the probe's own process, which ends right after.
Attempt real_time(const Yard&, const Probe& row) {
  sched_param parameter{};
  parameter.sched_priority = 1;
  // By the system call: a C library may refuse what the kernel grants.
  if (syscall(SYS_sched_setscheduler, 0, row.number, &parameter) != 0) return stopped("sched_setscheduler");
  parameter.sched_priority = 0;
  syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &parameter);
  return exposed("real-time scheduling was granted: all others wait as long as the program likes");
}
Attempt deadline(const Yard&, const Probe&) {
  Attributes attributes{sizeof attributes, kDeadline, 0, 0, 0, 1'000'000, 100'000'000, 100'000'000};
  if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0) return stopped("sched_setattr");
  attributes = {sizeof attributes, SCHED_OTHER, 0, 0, 0, 0, 0, 0};
  syscall(SYS_sched_setattr, 0, &attributes, 0);
  return exposed("a deadline was granted: a part of each period is the program's before anybody's");
}
Attempt lower_nice(const Yard&, const Probe&) {
  int now = getpriority(PRIO_PROCESS, 0);
  if (now <= -20) return not_applicable("the nice value is the lowest already");
  if (setpriority(PRIO_PROCESS, 0, now - 1) != 0) return stopped("setpriority");
  return exposed("the program has put itself before others");
}
Attempt io_real_time(const Yard&, const Probe&) {
  if (syscall(kIoPrioSet, kIoWhoProcess, 0, kIoRealTime) != 0) return stopped("ioprio_set");
  return exposed("real-time class at the disks was granted");
}
Attempt not_first_to_die(const Yard&, const Probe&) {
  const char* path = "/proc/self/oom_score_adj";
  char text[16];
  if (read_text(path, text, sizeof text) < 0) return stopped("read oom_score_adj");
  const long now = std::strtol(text, nullptr, 10);
  if (now <= -1000) return exposed("the program is never ended for want of memory");
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return stopped("open oom_score_adj");
  int n = std::snprintf(text, sizeof text, "%ld", now - 1);
  if (write(fd, text, static_cast<size_t>(n)) != n) return stopped("write oom_score_adj");
  n = std::snprintf(text, sizeof text, "%ld", now);
  if (pwrite(fd, text, static_cast<size_t>(n), 0) != n) return stopped("write oom_score_adj");
  return exposed("others are ended before the program when memory is short");
}

constexpr Probe outside(const char* id, const char* technique, const char* about, const char* reference,
                        long way) {
  return {id,          Category::Processes,
          technique,   about,
          reference,   by(Layer::PidNs, Layer::UserNs),
          Proof::None, kBare,
          other,       kPlain,
          kWitness,    way};
}
constexpr Probe own(const char* id, const char* technique, const char* about, const char* reference,
                    Attempt (*run)(const Yard&, const Probe&), long number = 0) {
  return {id,          Category::Processes,
          technique,   about,
          reference,   by(Layer::UserNs, Layer::Capabilities, Layer::Rlimits),
          Proof::None, kBare,
          run,         kPlain,
          "",          number};
}

constexpr Probe kScheduling[] = {
    outside("affinity-other", "processors of a process outside",
            "Sets on which processors a process outside may run, to those on which it does. All of the "
            "caller's processes could be put on one.",
            "sched_setaffinity(2)", 0),
    outside(
        "scheduler-other", "scheduling policy of a process outside",
        "Sets the policy of a process outside, to the one that it has. With SCHED_IDLE it would hardly run.",
        "sched_setscheduler(2)", 1),
    outside("nice-other", "nice value of a process outside",
            "Sets the nice value of a process outside, to the one that it has. A higher one cannot be taken "
            "back by the process itself.",
            "setpriority(2)", 2),
    outside("io-priority-other", "disk priority of a process outside",
            "Sets the I/O priority of a process outside, to the one that it has. With the idle class it "
            "would wait at the disk for as long as anybody else is there.",
            "ioprio_set(2)", 3),
    outside("limits-other", "limits of a process outside",
            "Reads a limit of a process outside. The same call sets them: of open files to none, of "
            "processor time to a second.",
            "prlimit(2)", 4),
    own("real-time", "real-time scheduling for oneself",
        "Asks for SCHED_FIFO with the lowest priority, and gives it back. A real-time program that loops "
        "leaves the others what the kernel's throttle leaves them, by default a twentieth.",
        "sched(7)", real_time, SCHED_FIFO),
    own("real-time-round", "real-time scheduling in turns",
        "Asks for SCHED_RR, the other real-time policy, and gives it back. Programs of this policy take "
        "turns among themselves, and all others wait.",
        "sched(7)", real_time, SCHED_RR),
    own("real-time-deadline", "a deadline for oneself",
        "Asks for a millisecond of processor time in each tenth of a second before everybody else, and gives "
        "it back. In the kernel since 3.14.",
        "sched_setattr(2)", deadline),
    own("nice-own", "a lower nice value for oneself",
        "Asks for a nice value below its own. It stays with the probe's process, which ends.",
        "setpriority(2)", lower_nice),
    own("io-real-time", "real-time class at the disks",
        "Asks for the I/O class that is served before all others, where the scheduler of the disk knows "
        "classes. The others of the host wait at it, whatever their own share is.",
        "ioprio_set(2)", io_real_time),
    own("oom-score", "last to be ended when memory is short",
        "Lowers its own score by one and puts it back. With a low one the kernel ends others, the launcher "
        "among them, for the memory that the program takes.",
        "proc_pid_oom_score_adj(5)", not_first_to_die),
};

}  // namespace

std::span<const Probe> scheduling() { return kScheduling; }

}  // namespace immure::probes
