// Time: processors, the clock on the wall, and who does not end when he is told to.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>

#include "probes/resources/take.h"

namespace immure::probes {
namespace {

Attempt unknown() { return not_applicable("it is not said how long it should try"); }

double now_in(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

volatile unsigned long turns;

bool burn(int64_t milliseconds) {
  const double end = now_in(CLOCK_PROCESS_CPUTIME_ID) + static_cast<double>(milliseconds) / 1000;
  while (now_in(CLOCK_PROCESS_CPUTIME_ID) < end) {
    for (int i = 0; i < 20000; ++i) turns = turns + 1;
  }
  return true;
}

Attempt one_burns(const Yard& yard, const Probe&) {
  if (yard.milliseconds == 0) return unknown();
  burn(yard.milliseconds);
  return took(yard.milliseconds, "ms of a processor");
}

// Each of four stays below what one of them may have.
Attempt four_burn(const Yard& yard, const Probe&) {
  constexpr int kProcesses = 4;
  if (yard.milliseconds == 0) return unknown();
  int64_t have = together(kProcesses, burn, yard.milliseconds / kProcesses);
  if (have == kProcesses) return took(yard.milliseconds, "ms of processors in 4 processes");
  return refused("burn", have * yard.milliseconds / kProcesses, "ms of processors");
}

// One after the other: what those used who have ended is easily forgotten.
Attempt heirs_burn(const Yard& yard, const Probe&) {
  constexpr int kChildren = 20;
  if (yard.milliseconds == 0) return unknown();
  for (int i = 0; i < kChildren; ++i) {
    pid_t child = fork();
    if (child < 0) return refused("fork", i * yard.milliseconds / kChildren, "ms of a processor");
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      burn(yard.milliseconds / kChildren);
      _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (!WIFEXITED(status)) return refused("burn", EINTR, i * yard.milliseconds / kChildren, "ms of a processor");
  }
  return took(yard.milliseconds, "ms of a processor, in 20 processes one after the other");
}

Attempt sleep_long(const Yard& yard, const Probe&) {
  if (yard.milliseconds == 0) return unknown();
  timespec wish{static_cast<time_t>(yard.milliseconds / 1000), static_cast<long>(yard.milliseconds % 1000 * 1'000'000)};
  while (nanosleep(&wish, &wish) != 0 && errno == EINTR) continue;
  return took(yard.milliseconds, "ms");
}

// Every signal that can be ignored is.
Attempt ignore_all(const Yard& yard, const Probe& row) {
  for (int signal_number = 1; signal_number < 65; ++signal_number) {
    if (signal_number != SIGCHLD) signal(signal_number, SIG_IGN);
  }
  return sleep_long(yard, row);
}

Attempt priority(const Yard&, const Probe&) {
  errno = 0;
  int before = getpriority(PRIO_PROCESS, 0);
  if (setpriority(PRIO_PROCESS, 0, before - 1) != 0) return stopped("setpriority");
  return exposed("it runs before others, with a nice value of %d", before - 1);
}

Attempt real_time(const Yard&, const Probe& row) {
  sched_param parameter{};
  parameter.sched_priority = 1;
  // musl's own refuses without asking the kernel.
  if (syscall(SYS_sched_setscheduler, 0, static_cast<int>(row.number), &parameter) != 0)
    return stopped("sched_setscheduler");
  return exposed("it runs before everything that is not urgent");
}

constexpr uint32_t kBy = by(Layer::Cgroup, Layer::Rlimits);
constexpr Control kOff = loosened("--cpu-time none --wall-time none");

constexpr auto kMuchTime = limited("--cpu-time 150ms", {
    {"processor-one", Category::Resources, "the time of a processor",
     "Computes for as long as the yard says. Programs that never end are the commonest of all attacks on a "
     "judge of programs, and most come from honest mistakes.",
     "getrlimit(2), RLIMIT_CPU", kBy, Proof::None, kOff, one_burns, kSolo},
    {"processor-four", Category::Resources, "the time of processors, in four processes",
     "Computes in four processes at once, a quarter in each. The limits of setrlimit count every process for "
     "itself.",
     "getrlimit(2), RLIMIT_CPU; cgroups(7), cpu controller", by(Layer::Cgroup), Proof::None, kOff, four_burn,
     kSolo},
    {"processor-heirs", Category::Resources, "the time of a processor, in turns",
     "Computes in twenty processes one after the other, each for a moment. Who looks from time to time at "
     "those who are there misses those who have ended.",
     "getrusage(2), RUSAGE_CHILDREN", by(Layer::Cgroup), Proof::None, kOff, heirs_burn, kSolo},
    {"wall-time", Category::Resources, "to stay for as long as it likes",
     "Sleeps, which no limit of the processor ends. A place for a jail is taken all the while.",
     "nanosleep(2)", by(Layer::Cgroup, Layer::PidNs), Proof::None, loosened("--wall-time none"), sleep_long,
     kSolo, "", 0, "--wall-time 150ms"},
    {"wall-time-deaf", Category::Resources, "to stay in spite of every signal",
     "Ignores every signal that can be ignored, and sleeps. Who ends a program by asking it to end waits for "
     "ever.",
     "signal(7), kill(2)", by(Layer::Cgroup, Layer::PidNs), Proof::None, loosened("--wall-time none"),
     ignore_all, kSolo, "", 0, "--wall-time 150ms"},
    {"priority-raise", Category::Resources, "to run before others",
     "Asks for a better priority than it has. Every program of the machine waits for one that has the best.",
     "setpriority(2), capabilities(7), CAP_SYS_NICE", by(Layer::Capabilities, Layer::UserNs, Layer::Rlimits),
     Proof::None, kBare, priority},
    {"run-before-all", Category::Resources, "to run before everything",
     "Asks for a real-time priority. A program that computes with one keeps a processor for itself, the "
     "kernel's own threads waiting.",
     "sched(7), SCHED_FIFO", by(Layer::Capabilities, Layer::UserNs, Layer::Rlimits, Layer::Seccomp),
     Proof::None, kBare, real_time, kPlain, "", SCHED_FIFO},
});

}  // namespace

std::span<const Probe> much_time() { return kMuchTime; }

}  // namespace immure::probes
