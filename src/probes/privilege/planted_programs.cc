// Programs in the root which the kernel starts with more than their caller has.
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "probes/inside.h"
#include "probes/planted.h"

namespace immure::probes {
namespace {

constexpr unsigned kStranger = 65534;
constexpr int kPatience = 1500;  // milliseconds

// Runs the planted program; its one line comes back. 0, or an errno.
int ask_who(const char* path, char* line, size_t size) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) {
    dup2(ends[1], 1);
    execl(path, path, kWho, static_cast<char*>(nullptr));
    _exit(errno);
  }
  close(ends[1]);
  pollfd wait_for{ends[0], POLLIN, 0};
  ssize_t n = poll(&wait_for, 1, kPatience) > 0 ? read(ends[0], line, size - 1) : -1;
  close(ends[0]);
  line[n < 0 ? 0 : n] = '\0';
  if (n <= 0) kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  if (n > 0) return 0;
  return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : ENOMSG;
}

Attempt start(const Yard& yard, const Probe& row) {
  if (yard.planted[0] == '\0') return not_applicable("nothing is planted here");
  // Root has nothing to gain from them: it becomes somebody first, where it can.
  if (geteuid() == 0 && setgroups(0, nullptr) == 0 && setresgid(kStranger, kStranger, kStranger) == 0 &&
      setresuid(kStranger, kStranger, kStranger) != 0)
    return stopped("setresuid");
  char path[256], line[128];
  std::snprintf(path, sizeof path, "%s/%s", yard.planted, row.word);
  if (int error = ask_who(path, line, sizeof line); error != 0) return stopped("execve", error);
  unsigned uid = 0, euid = 0, gid = 0, egid = 0;
  unsigned long long capabilities = 0;
  // Without /proc it knows nothing of its capabilities, and prints a question mark.
  if (std::sscanf(line, "%u %u %u %u %llx", &uid, &euid, &gid, &egid, &capabilities) < 4)
    return stopped("what it says", EPROTO);
  char before[4096];
  unsigned long long had = 0;
  if (read_text("/proc/self/status", before, sizeof before) > 0)
    if (const char* at = std::strstr(before, "CapEff:\t")) std::sscanf(at + 8, "%llx", &had);
  if (euid != geteuid()) return exposed("a program of another user's became that user: %u", euid);
  if (egid != getegid()) return exposed("a program of another group's became that group: %u", egid);
  if ((capabilities & ~had) != 0)
    return exposed("a program came with capabilities: %llx", capabilities & ~had);
  return stopped("execve", EPERM);
}

constexpr Probe kPlantedPrograms[] = {
    {"set-uid-program", Category::Privilege, "set-uid program of root in the root",
     "Starts a program in the jail's root that belongs to uid 0 and has the set-uid bit. Where neither "
     "no_new_privs nor a nosuid mount nor the id mapping stops it, it runs as root; every set-uid tool of "
     "the host that a jail shows is such a program.",
     "execve(2), PR_SET_NO_NEW_PRIVS(2const)", by(Layer::NoNewPrivs, Layer::Mounts, Layer::UserNs),
     Proof::None, kChroot, start, kPlanted | kPlantedByRoot, kSetUid},
    {"set-gid-program", Category::Privilege, "set-gid program of root's group in the root",
     "Starts a program with the set-gid bit. Groups such as shadow, disk and docker are as good as root on "
     "many machines.",
     "execve(2)", by(Layer::NoNewPrivs, Layer::Mounts, Layer::UserNs), Proof::None, kChroot, start,
     kPlanted | kPlantedByRoot, kSetGid},
    {"file-capability-program", Category::Privilege, "program with file capabilities in the root",
     "Starts a program whose extended attribute grants it every capability. It needs no bit in its mode, so "
     "that a look at modes does not find it.",
     "capabilities(7)", by(Layer::NoNewPrivs, Layer::Mounts, Layer::UserNs, Layer::Capabilities), Proof::None,
     kChroot, start, kPlanted | kPlantedByRoot, kFileCapability},
};

}  // namespace

std::span<const Probe> planted_programs() { return kPlantedPrograms; }

}  // namespace immure::probes
