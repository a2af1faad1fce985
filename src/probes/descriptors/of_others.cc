// Descriptors and program files of other processes.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

// The file that another process runs, opened to write. A program that runs cannot be opened so (ETXTBSY),
// which the kernel says to who had the right to: when it has ended, or been started anew, it can.
Attempt open_program(int pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/exe", pid);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 && errno != ETXTBSY) return stopped("open");
  // Only after that the kernel looks whether the mount is read-only, so it is asked about that by itself.
  if (fd < 0 && access(path, W_OK) != 0) return stopped("access");
  if (fd >= 0) close(fd);
  return exposed("the program of process %d can be overwritten when it does not run", pid);
}

Attempt of_init(const Yard&, const Probe&) { return open_program(1); }
Attempt of_launcher(const Yard& yard, const Probe&) {
  if (yard.launcher <= 0) return not_applicable("nobody told who the launcher is");
  return open_program(yard.launcher);
}
Attempt of_itself(const Yard&, const Probe&) { return open_program(getpid()); }

// The runtime's program is opened while it still is what runs in a process that is about to become ours.
Attempt of_ancestors(const Yard&, const Probe&) {
  Attempt attempt = stopped("open", ENOENT);
  char path[64], text[512];
  int pid = getppid();
  for (int i = 0; i < 16 && pid > 0; ++i) {
    struct stat theirs, ours;
    std::snprintf(path, sizeof path, "/proc/%d/exe", pid);
    // One's own program is no runtime.
    bool is_ours =
        stat(path, &theirs) == 0 && stat("/proc/self/exe", &ours) == 0 && theirs.st_ino == ours.st_ino;
    if (!is_ours) {
      attempt = open_program(pid);
      if (attempt.outcome == Outcome::Exposed) return attempt;
    }
    std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (read_text(path, text, sizeof text) < 0) break;
    const char* after = std::strrchr(text, ')');
    pid = after == nullptr ? 0 : std::atoi(after + 4);
  }
  return attempt;
}

bool copy_from(int pid, Attempt& attempt) {
  int other = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (other < 0) {
    attempt = stopped("pidfd_open");
    return false;
  }
  for (int number = 0; number < 32; ++number) {
    int fd = static_cast<int>(syscall(SYS_pidfd_getfd, other, number, 0));
    if (fd < 0) {
      // Who is ending has none any more: what the others answered counts.
      const int error = errno;
      if (error != ESRCH || attempt.error == 0) attempt = stopped("pidfd_getfd", error);
      if (error == EBADF) continue;
      break;
    }
    attempt = exposed("descriptor %d of process %d was copied", number, pid);
    close(fd);
    break;
  }
  close(other);
  return attempt.outcome == Outcome::Exposed;
}

// The parent runs the same program for the same user inside the same jail: it is no one else.
Attempt copy_any(const Yard& yard, const Probe&) {
  Attempt attempt;
  for (int pid : {yard.witness, yard.launcher, 1})
    if (pid > 0 && pid != getppid() && copy_from(pid, attempt)) return attempt;
  DIR* folder = opendir("/proc");
  if (folder == nullptr) return attempt;
  int seen = 0;
  while (const dirent* entry = readdir(folder)) {
    int pid = std::atoi(entry->d_name);
    if (pid <= 1 || pid == getpid() || pid == getppid()) continue;
    if (copy_from(pid, attempt) || ++seen > 400) break;
  }
  closedir(folder);
  return attempt;
}

constexpr uint32_t kWalls = by(Layer::PidNs, Layer::UserNs, Layer::Landlock);
constexpr Probe kOfOthers[] = {
    {"exe-overwrite-init", Category::Descriptors, "pid 1's program opened for writing by /proc/1/exe",
     "/proc/PID/exe opens the file that a process runs, wherever that is. In 2019 containers overwrote the "
     "host's runc with it: runc's program ran for a moment inside, and could be written when it had ended. "
     "The probe opens and writes nothing.",
     "CVE-2019-5736", kWalls | by(Layer::Mounts), Proof::None, kNamespaced, of_init},
    {"exe-overwrite-launcher", Category::Descriptors, "the launcher's program by its /proc/PID/exe",
     "The same for the process that started the jail, by its number outside. It shows where the pid "
     "namespace is shared, or where a /proc of the host is bound.",
     "CVE-2019-5736", kWalls | by(Layer::Mounts), Proof::None, kBare, of_launcher},
    {"exe-overwrite-ancestor", Category::Descriptors, "a parent's program by its /proc/PID/exe",
     "The same for every process above, up to the first one. Supervisors and runtimes that stay in the "
     "jail's pid namespace are there.",
     "CVE-2019-5736", kWalls | by(Layer::Mounts), Proof::None, kBare, of_ancestors},
    {"exe-overwrite-self", Category::Descriptors, "the own program opened for writing by /proc/self/exe",
     "The program's own file, which in a jail is one of the host's behind a bind or in a prepared root. Who "
     "can write it leaves something for the next start, maybe one outside.",
     "proc_pid_exe(5)", by(Layer::Mounts, Layer::UserNs, Layer::Landlock), Proof::None, kChroot, of_itself},
    {"copy-descriptors", Category::Descriptors, "pidfd_getfd from every process in sight",
     "Takes descriptors out of the witness, the launcher, pid 1 and all processes that /proc shows. The same "
     "user id is enough outside; it is then as if each of them had leaked everything it has open.",
     "pidfd_getfd(2) since 5.6", by(Layer::PidNs, Layer::UserNs, Layer::Seccomp, Layer::Landlock),
     Proof::None, kBare, copy_any},
};

}  // namespace

std::span<const Probe> of_others() { return kOfOthers; }

}  // namespace immure::probes
