// Into the namespaces of another process: what nsenter does.
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "probes/processes/others.h"
#include "uapi/kernel.h"

namespace immure::probes {
namespace {

struct Kind {
  const char* name;
  int flag;
};
constexpr Kind kKinds[] = {
    {"mnt", CLONE_NEWNS},
    {"pid", CLONE_NEWPID},
    {"net", CLONE_NEWNET},
    {"ipc", CLONE_NEWIPC},
    {"uts", CLONE_NEWUTS},
    {"cgroup", CLONE_NEWCGROUP},
    {"time", static_cast<int>(uapi::kCloneNewTime)},
};
enum : long { kMnt, kPid, kNet, kIpc, kUts, kCgroup, kTime };

Attempt by_file(const Yard& yard, const Probe& row) {
  Attempt why;
  const pid_t pid = target_of(yard, row, why);
  if (pid == 0) return why;
  const Kind& kind = kKinds[row.number];
  char path[48], where[40];
  std::snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, kind.name);
  std::snprintf(where, sizeof where, "setns %s", kind.name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return stopped("open /proc/PID/ns");
  if (setns(fd, kind.flag) != 0) return stopped(where);
  // What it is good for: the host's files, by the host's path.
  if (kind.flag == CLONE_NEWNS && yard.canary[0] != '\0') {
    Attempt seen = read_canary_at(AT_FDCWD, yard.canary, "open the canary");
    if (seen.outcome == Outcome::Escaped)
      return exposed("the %s namespace of %s was entered, and its files read", kind.name, row.word);
  }
  return exposed("the %s namespace of %s was entered", kind.name, row.word);
}

// All that `row.number` names in one call; in the kernel since 5.8.
Attempt by_pidfd(const Yard& yard, const Probe& row) {
  Attempt why;
  const pid_t pid = target_of(yard, row, why);
  if (pid == 0) return why;
  int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return stopped("pidfd_open");
  if (setns(fd, static_cast<int>(row.number)) != 0) return stopped("setns");
  return exposed("namespaces of %s were entered by its descriptor", row.word);
}

constexpr uint32_t kStoppedBy = by(Layer::PidNs, Layer::UserNs, Layer::Capabilities, Layer::Seccomp);

constexpr Probe row(const char* id, const char* technique, const char* about, const char* whom, long number,
                    Control control = kBare, Attempt (*run)(const Yard&, const Probe&) = by_file) {
  return {id,
          Category::Processes,
          technique,
          about,
          "setns(2), namespaces(7)",
          kStoppedBy,
          Proof::None,
          control,
          run,
          kPlain,
          whom,
          number};
}

constexpr Probe kEntering[] = {
    row("enter-mounts", "mount namespace of a process outside",
        "Opens the mount namespace of a process outside through /proc and enters it. The program then sees "
        "the host's files, with the host's root as its own.",
        kWitness, kMnt),
    row("enter-processes", "pid namespace of a process outside",
        "Enters the pid namespace of a process outside. The next child that the program has is a process of "
        "the host.",
        kWitness, kPid),
    row("enter-network", "network namespace of a process outside",
        "Enters the network namespace of a process outside, with its interfaces and what listens on its "
        "loopback. What was cut off by an empty network is then as near as it is to the host.",
        kWitness, kNet),
    row("enter-ipc", "IPC namespace of a process outside",
        "Enters the IPC namespace of a process outside, with the shared memory and the queues of the host's "
        "programs. System V objects have no path, so that no mount hides them there.",
        kWitness, kIpc),
    row("enter-names", "UTS namespace of a process outside",
        "Enters the UTS namespace of a process outside, where it can read and change the host's name. A "
        "program that is told the name of another host may send to it what is not for it.",
        kWitness, kUts),
    row("enter-cgroups", "cgroup namespace of a process outside",
        "Enters the cgroup namespace of a process outside, from where the host's groups have their full "
        "paths. The limits stay, but the tree above the jail and the names of its neighbours are seen.",
        kWitness, kCgroup),
    row("enter-time", "time namespace of a process outside",
        "Enters the time namespace of a process outside, whose clocks tell how long the machine runs. All "
        "others on the machine have the same time, by which two jails find that they are on the same one.",
        kWitness, kTime),
    row("enter-by-descriptor", "several namespaces by a process descriptor",
        "Opens a descriptor of a process outside and enters its mount, network, IPC and UTS namespaces in "
        "one call. No /proc is needed for it.",
        kWitness, CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, kBare, by_pidfd),
    row("enter-first-mounts", "mount namespace of the jail's first process",
        "Enters the mount namespace of process 1. A first process that stayed in the launcher's shows the "
        "host.",
        kFirst, kMnt, kNamespaced),
    row("enter-first-network", "network namespace of the jail's first process",
        "Enters the network namespace of process 1, which is the host's where the jail's network was made "
        "after it. The interfaces and the loopback of that one are the program's then.",
        kFirst, kNet, kNamespaced),
    row("enter-first-processes", "pid namespace of the jail's first process",
        "Enters the pid namespace of process 1 again. It is a door for programs that have been given one of "
        "their own.",
        kFirst, kPid, kNamespaced),
    row("enter-first-by-descriptor", "the first process's namespaces by descriptor",
        "Opens a descriptor of process 1 and enters its mount, network, IPC and UTS namespaces in one call. "
        "A filter that watches files below /proc does not see it.",
        kFirst, CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, kNamespaced, by_pidfd),
};

}  // namespace

std::span<const Probe> entering() { return kEntering; }

}  // namespace immure::probes
