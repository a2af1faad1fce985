// Through /proc into the root, the working directory and the descriptors of other processes.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

constexpr int kMostProcesses = 400;
constexpr char kUp[] = "/../../../../../../../../../../../../../../../..";

// Calls `look` for the witness, the launcher, pid 1 and then every process that /proc lists, until one is
// through.
Attempt each_process(const Yard& yard, const Probe& row,
                     bool (*look)(const Yard&, const Probe&, int pid, Attempt&)) {
  Attempt attempt = stopped("open /proc", ENOENT);
  for (int pid : {yard.witness, yard.launcher, 1})
    if (pid > 0 && look(yard, row, pid, attempt)) return attempt;
  DIR* folder = opendir("/proc");
  if (folder == nullptr) return stopped("open /proc");
  int seen = 0;
  while (const dirent* entry = readdir(folder)) {
    int pid = std::atoi(entry->d_name);
    if (pid <= 1 || pid == getpid()) continue;
    if (look(yard, row, pid, attempt) || ++seen > kMostProcesses) break;
  }
  closedir(folder);
  return attempt;
}

bool by_path(const Yard& yard, const Probe& row, int pid, Attempt& attempt) {
  char path[512];
  if (std::strcmp(row.word, "task") == 0)
    std::snprintf(path, sizeof path, "/proc/%d/task/%d/root%s", pid, pid, yard.canary);
  else if (std::strcmp(row.word, "cwd") == 0)
    std::snprintf(path, sizeof path, "/proc/%d/cwd%s%s", pid, kUp, yard.canary);
  else
    std::snprintf(path, sizeof path, "/proc/%d/%s%s", pid, row.word, yard.canary);
  attempt = read_canary_at(AT_FDCWD, path, "open");
  return attempt.outcome == Outcome::Escaped;
}

bool by_descriptor(const Yard& yard, const Probe&, int pid, Attempt& attempt) {
  char path[512];
  for (int fd = 0; fd < 64; ++fd) {
    std::snprintf(path, sizeof path, "/proc/%d/fd/%d%s%s", pid, fd, kUp, yard.canary);
    attempt = read_canary_at(AT_FDCWD, path, "open");
    if (attempt.outcome == Outcome::Escaped) return true;
    if (attempt.error == EACCES || attempt.error == EPERM) return false;
  }
  return false;
}

Attempt walk(const Yard& yard, const Probe& row) {
  return nothing_to_walk_to(yard) ? granted() : each_process(yard, row, by_path);
}
Attempt walk_descriptors(const Yard& yard, const Probe& row) {
  return nothing_to_walk_to(yard) ? granted() : each_process(yard, row, by_descriptor);
}

constexpr uint32_t kWalls = by(Layer::PidNs, Layer::Landlock, Layer::UserNs);
constexpr Probe kRows[] = {
    {"proc-root-walk", Category::Root, "/proc/PID/root of every process",
     "/proc/PID/root is the root directory of that process as a link which the kernel follows whatever its "
     "own root is. A /proc of the host that is bound into a jail shows processes outside, and whoever may "
     "trace one of them (same user, or root) has the host's files through it. It is the usual way from a "
     "debugging container into others.",
     "proc_pid_root(5)", kWalls, Proof::Line, kBare, walk, kPlain, "root"},
    {"proc-task-walk", Category::Root, "/proc/PID/task/TID/root of every process",
     "The same link once more, in the folder of the process's threads. Rules that hide or deny "
     "/proc/PID/root by its path (AppArmor profiles, bind mounts over it) forget this name easily.",
     "proc_pid_task(5)", kWalls, Proof::Line, kBare, walk, kPlain, "task"},
    {"proc-cwd-walk", Category::Root, "/proc/PID/cwd of every process, then up",
     "The working directory of a process outside, and from there up with \"..\", in one path. It ends at the "
     "host's root also when the other process was itself put into a chroot that it stands outside of.",
     "proc_pid_cwd(5)", kWalls, Proof::Line, kBare, walk, kPlain, "cwd"},
    {"proc-fd-walk", Category::Descriptors, "/proc/PID/fd/N of every process, then up",
     "Each open directory of a process outside is a way out when its /proc/PID/fd can be followed. "
     "Supervisors, shells and runtimes keep such directories open; runc leaked one of the host's "
     "/sys/fs/cgroup to its own children until 2024.",
     "proc_pid_fd(5), CVE-2024-21626", kWalls, Proof::Line, kBare, walk_descriptors},
};

}  // namespace

std::span<const Probe> proc_walk() { return {kRows, 3}; }
std::span<const Probe> proc_fd_walk() { return {kRows + 3, 1}; }

}  // namespace immure::probes
