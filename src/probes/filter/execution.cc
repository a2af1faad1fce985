// New code: what the program brought or made is started, or mapped to be executed, where nothing new should
// run.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

constexpr char kOwnProgram[] = "/proc/self/exe";

bool copy(const char* path, int to) {
  static char block[1 << 16];
  int from = open(path, O_RDONLY | O_CLOEXEC);
  if (from < 0) return false;
  ssize_t n;
  while ((n = read(from, block, sizeof block)) > 0 && write(to, block, static_cast<size_t>(n)) == n) {
  }
  close(from);
  return n == 0;
}

using Start = void (*)(int fd, const char* path, char* const* words);
void by_descriptor(int fd, const char*, char* const* words) {
  char* const none[] = {nullptr};
  syscall(SYS_execveat, fd, "", words, none, AT_EMPTY_PATH);
}
void by_path(int, const char* path, char* const* words) { execv(path, words); }

// In a child; exposed when it says a line, or, for `any`, when it was started at all.
Attempt start(Start how, int fd, const char* path, char* const* words, const char* where, bool any = false) {
  int out[2], failed[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(failed, O_CLOEXEC) != 0) return stopped("pipe2");
  pid_t child = fork();
  if (child < 0) return stopped("fork");
  if (child == 0) {
    dup2(out[1], 1);
    dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
    how(fd, path, words);
    int error = errno;
    _exit(write(failed[1], &error, sizeof error) < 0 ? 1 : 0);
  }
  close(out[1]);
  close(failed[1]);
  char line[256];
  int error =
      EACCES;  // started, and ended before it said a word: so does the loader that may not map its program
  pollfd wait_for{out[0], POLLIN, 0};
  ssize_t n = poll(&wait_for, 1, 1500) > 0 ? read(out[0], line, sizeof line) : 0;
  // Nothing comes through the second pipe but the error of a start that failed.
  wait_for = {failed[0], POLLIN, 0};
  bool is_started = poll(&wait_for, 1, 100) > 0 && read(failed[0], &error, sizeof error) == 0;
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(out[0]);
  close(failed[0]);
  return n > 0 || (any && is_started) ? exposed("%s: new code ran", where) : stopped(where, error);
}

char* const kWhoWords[] = {const_cast<char*>("immure-probe"), const_cast<char*>(kWho), nullptr};

constexpr unsigned kNoExecSeal = 8;  // MFD_NOEXEC_SEAL

Attempt from_memory(const Yard&, const Probe& row) {
  int fd = static_cast<int>(syscall(SYS_memfd_create, "immure-probe", static_cast<unsigned>(row.number)));
  // MFD_EXEC came with its opposite: a kernel that takes the latter has refused what was asked, not a flag.
  if (fd < 0 && errno == EINVAL && row.number != 0) {
    const auto sealed = static_cast<int>(syscall(SYS_memfd_create, "immure-probe", kNoExecSeal));
    if (sealed < 0 && errno == EINVAL)
      return not_applicable("this kernel, older than 6.3, knows no MFD_EXEC");
    if (sealed >= 0) close(sealed);
    return stopped("memfd_create", EINVAL);
  }
  if (fd < 0) return stopped("memfd_create");
  if (!copy(kOwnProgram, fd)) return stopped("copy");
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  bool named = row.word[0] != '\0';
  return start(named ? by_path : by_descriptor, fd, path, kWhoWords, named ? "execve" : "execveat");
}

// A copy of the own program, in a folder that row.word names.
Attempt from_folder(const Yard&, const Probe& row) {
  char path[128];
  std::snprintf(path, sizeof path, "%s/immure-probe-copy-%d", row.word, getpid());
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
  if (fd < 0) return stopped("open");
  bool copied = copy(kOwnProgram, fd);
  close(fd);  // what is open for writing cannot be started
  Attempt attempt = copied ? start(by_path, -1, path, kWhoWords, "execve") : stopped("copy");
  unlink(path);
  return attempt;
}

// A file that never had a name: opened again to read, its writer closed.
Attempt from_nameless(const Yard& yard, const Probe&) {
  if (yard.scratch[0] == '\0') return not_applicable("nothing is writable for a file");
  int fd = open(yard.scratch, O_RDWR | O_TMPFILE | O_CLOEXEC, 0700);
  if (fd < 0) return stopped("open O_TMPFILE");
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  if (!copy(kOwnProgram, fd)) return stopped("copy");
  int again = open(path, O_RDONLY | O_CLOEXEC);
  if (again < 0) return stopped("open again");
  close(fd);
  return start(by_descriptor, again, "", kWhoWords, "execveat");
}

// The loader is a program that may be started; what it maps is its argument.
Attempt by_loader(const Yard& yard, const Probe&) {
  static const char kLoader[] = "/lib64/ld-linux-x86-64.so.2", kProgram[] = "/bin/echo";
  char path[128];
  if (!scratch_path(yard, "echo", path, sizeof path)) return not_applicable("nothing is writable for a file");
  if (access(kLoader, X_OK) != 0 || access(kProgram, R_OK) != 0)
    return not_applicable("there is no loader, or no program for it");
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
  if (fd < 0) return stopped("open");
  bool copied = copy(kProgram, fd);
  close(fd);
  char* const words[] = {const_cast<char*>(kLoader), path, const_cast<char*>("ran"), nullptr};
  Attempt attempt = copied ? start(by_path, -1, kLoader, words, "the loader") : stopped("copy");
  unlink(path);
  return attempt;
}

// mov eax, 42; ret: in a file, mapped to be executed at once, or made executable later.
Attempt mapped(const Yard& yard, const Probe& row) {
  static const unsigned char kCode[] = {0xb8, 42, 0, 0, 0, 0xc3};
  char path[128];
  if (!scratch_path(yard, "code", path, sizeof path)) return not_applicable("nothing is writable for a file");
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
  if (fd < 0) return stopped("open");
  unlink(path);
  if (write(fd, kCode, sizeof kCode) != static_cast<ssize_t>(sizeof kCode)) return stopped("write");
  const bool later = row.number != 0;
  void* code = mmap(nullptr, 4096, later ? PROT_READ : PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  if (code == MAP_FAILED) return stopped("mmap");
  if (later && mprotect(code, 4096, PROT_READ | PROT_EXEC) != 0) return stopped("mprotect");
  int result = reinterpret_cast<int (*)()>(code)();
  return result == 42 ? exposed("code of a new file ran") : stopped("call", EIO);
}

// The script is inside, and names a program that is not.
Attempt script(const Yard& yard, const Probe&) {
  char path[256];
  std::snprintf(path, sizeof path, "%s/%s", yard.planted, kScript);
  if (yard.planted[0] == '\0' || access(path, F_OK) != 0)
    return not_applicable("no script at %s: %s", path, strerror(errno));
  char* const words[] = {path, nullptr};
  return start(by_path, -1, path, words, "execve", true);
}

constexpr Control kMemory = loosened("--weaken memfd-exec"), kTmp = loosened("--weaken tmp-exec");
constexpr uint32_t kNoExec = by(Layer::Mounts, Layer::Root);

constexpr Probe in_folder(const char* id, const char* technique, const char* about, Control control,
                          const char* folder) {
  return {id,      Category::Filter, technique, about, "execve(2), mount(8) noexec", kNoExec, Proof::None,
          control, from_folder,      kPlain,    folder};
}

constexpr Probe kExecution[] = {
    {"exec-memory", Category::Filter, "start a program from memory",
     "A memory file needs no writable folder: what was received is written there and started by its "
     "descriptor. Malware works this way since Linux 3.17 gave it the means, to leave no file.",
     "memfd_create(2), execveat(2)", by(Layer::Mounts, Layer::PidNs, Layer::Seccomp), Proof::None, kMemory,
     from_memory},
    {"exec-memory-path", Category::Filter, "start a program from memory by its path in /proc",
     "The same through /proc/self/fd, for jails that deny execveat. A noexec mount for /proc does not "
     "matter: the file is not on it.",
     "memfd_create(2)", by(Layer::Mounts, Layer::PidNs, Layer::Seccomp), Proof::None, kMemory, from_memory,
     kPlain, "path", 0},
    {"exec-memory-asked", Category::Filter, "start a program from memory that was asked to be executable",
     "With MFD_EXEC a memory file is executable although the default of the namespace says otherwise, unless "
     "that is set to insist. The attempt asks, and starts what it got.",
     "memfd_create(2), MFD_EXEC", by(Layer::Mounts, Layer::PidNs, Layer::Seccomp), Proof::None, kMemory,
     from_memory, kPlain, "", 0x10},
    in_folder("exec-tmp", "start a program from /tmp",
              "What was downloaded or unpacked is made executable and started. A noexec mount refuses that.",
              kTmp, "/tmp"),
    in_folder("exec-shared-memory", "start a program from /dev/shm",
              "It is writable, and easily forgotten by who thinks of /tmp. A copy of the own program is "
              "started from there.",
              kBare, "/dev/shm"),
    in_folder(
        "exec-var-tmp", "start a program from /var/tmp",
        "The other folder that every user may write to. A copy of the own program is started from there.",
        kTmp, "/var/tmp"),
    in_folder("exec-run", "start a program from /run",
              "A file system in memory, writable where the program is root. A copy of the own program is "
              "started from there.",
              kBare, "/run"),
    in_folder("exec-here", "start a program from the working directory",
              "Where the working directory is writable and files in it can be started, what the program "
              "writes can run. The attempt copies its own program there.",
              loosened("--weaken tmp-exec --cwd /tmp"), "."),
    {"exec-nameless", Category::Filter, "start a file that has no name",
     "A file made by O_TMPFILE is in no folder, where a scanner would see it, and is started by its "
     "descriptor. It goes with its last descriptor, so that nothing is left to examine.",
     "open(2), O_TMPFILE", kNoExec, Proof::None, kTmp, from_nameless},
    {"exec-loader", Category::Filter, "start a program through the loader",
     "The loader is started from /lib64, where that is allowed, and maps the file that it is told. Kernels "
     "before 2.6 let this pass noexec.",
     "ld.so(8), mount(8) noexec", kNoExec, Proof::None, kTmp, by_loader},
    {"exec-map", Category::Filter, "map code of a new file",
     "Nothing is started: the running program maps a file that it wrote and calls into it, as it does with a "
     "library. A noexec mount refuses such mappings, too.",
     "mmap(2), PROT_EXEC", kNoExec, Proof::None, kTmp, mapped},
    {"exec-map-later", Category::Filter, "map a new file, then make it executable",
     "The same in two steps, for what looks at the mapping alone. A noexec mount has to remember what it "
     "refused the first time.",
     "mprotect(2)", kNoExec, Proof::None, kTmp, mapped, kPlain, "", 1},
    {"exec-script", Category::Filter, "a script whose interpreter is outside",
     "A planted script names a program outside as its interpreter. The path is looked up in the root of "
     "whoever starts it, so that a root which is not the program's own, or a folder that is granted, is "
     "enough.",
     "execve(2), Interpreter scripts", by(Layer::Root), Proof::None, kBare, script, kPlanted},
};

}  // namespace

std::span<const Probe> execution() { return kExecution; }

}  // namespace immure::probes
