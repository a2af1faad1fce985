// Other processes as files: what /proc tells and opens of them.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "probes/processes/others.h"

namespace immure::probes {
namespace {

// A canary's line in a block of variables, behind a name of one; escaped with it, else stopped.
Attempt find_line(const Yard& yard, const char* path) {
  static char block[1 << 16];
  const long n = read_text(path, block, sizeof block);
  if (n < 0) return stopped("open environ");
  for (const char* at = block; at < block + n; at += std::strlen(at) + 1) {
    const char* equals = std::strchr(at, '=');
    const bool ours = equals != nullptr && std::strncmp(at, yard.variable, std::strlen(yard.variable)) == 0;
    if (ours && std::strncmp(equals + 1, kCanaryPrefix, sizeof kCanaryPrefix - 1) == 0)
      return escaped("%s", equals + 1);
  }
  if (yard.variable[0] == '\0') return not_applicable("it can be read, and was given no secret");
  return stopped("look in environ", ENOENT);
}

Attempt environment(const Yard& yard, const Probe& row) {
  Attempt why;
  const pid_t pid = target_of(yard, row, why);
  if (pid == 0) return why;
  char path[48];
  std::snprintf(path, sizeof path, "/proc/%d/environ", pid);
  return find_line(yard, path);
}

// Behind the magic links root and cwd a lookup goes on in the other's tree.
Attempt through_root(const Yard& yard, const Probe& row) {
  if (is_granted(yard)) return granted();
  Attempt why;
  const pid_t pid = target_of(yard, row, why);
  if (pid == 0) return why;
  char path[512];
  std::snprintf(path, sizeof path, "/proc/%d/root%s", pid, yard.canary);
  return read_canary_at(AT_FDCWD, path, "open /proc/PID/root");
}
Attempt through_cwd(const Yard& yard, const Probe& row) {
  if (is_granted(yard)) return granted();
  Attempt why;
  const pid_t pid = target_of(yard, row, why);
  if (pid == 0) return why;
  char path[48];
  std::snprintf(path, sizeof path, "/proc/%d/cwd", pid);
  if (chdir(path) != 0) return stopped("chdir /proc/PID/cwd");
  return look_from_here(yard);
}

// "!name" is opened for writing, "name/" listed, any other read; nothing is written.
Attempt look(const Yard& yard, const Probe& row) {
  static constexpr const char* kFiles[] = {"mem", "!mem",           "fd/",         "maps", "stack", "syscall",
                                           "io",  "!oom_score_adj", "!clear_refs", "exe"};
  Attempt why;
  const pid_t pid = target_of(yard, row, why);
  if (pid == 0) return why;
  const char* file = kFiles[row.number];
  const bool writing = file[0] == '!';
  char path[64], where[40];
  std::snprintf(path, sizeof path, "/proc/%d/%s", pid, file + (writing ? 1 : 0));
  std::snprintf(where, sizeof where, "open %.30s", file + (writing ? 1 : 0));
  int fd = open(path, (writing ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 && writing) fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return stopped(where);
  char some[64];
  ssize_t n = 1;
  if (std::strchr(file, '/') != nullptr) {
    DIR* dir = fdopendir(fd);
    int many = 0;
    while (dir != nullptr && readdir(dir) != nullptr) ++many;
    if (dir != nullptr) closedir(dir);
    n = many - 2;
    fd = -1;
  } else if (std::strcmp(file, "mem") != 0 && !writing) {
    // Some check at each read, too. And the stack of who runs just now is empty.
    const bool is_stack = std::strcmp(file, "stack") == 0;
    for (int looks = 0; (n = pread(fd, some, sizeof some, 0)) == 0 && is_stack && looks < 50; ++looks)
      usleep(2000);
    if (n < 0) return stopped("read");
  }
  if (fd >= 0) close(fd);
  // Who may not look gets an empty list of maps or descriptors.
  if (n <= 0) return stopped(where, EACCES);
  return exposed("%s of %s can be %s", file + (writing ? 1 : 0), row.word,
                 writing ? "opened to write" : "read");
}

// Every number that /proc shows; `use` answers true to go on.
void each_process(bool (*use)(pid_t pid, void* context), void* context) {
  DIR* dir = opendir("/proc");
  if (dir == nullptr) return;
  while (const dirent* entry = readdir(dir)) {
    char* end = nullptr;
    const long pid = std::strtol(entry->d_name, &end, 10);
    if (pid > 0 && *end == '\0' && !use(static_cast<pid_t>(pid), context)) break;
  }
  closedir(dir);
}

// Whose line of parents does not begin with process 1 or with our own parent's is nobody of the jail; and
// with no jail around, process 1 is the host's. So the sign is a session that has no number here, or that is
// another than ours and than that of process 1.
bool is_a_stranger(pid_t pid) {
  if (pid == 1 || pid == getpid() || pid == getppid()) return false;
  const pid_t session = getsid(pid);
  return session != getsid(0) && session != getsid(1);
}

Attempt strangers(const Yard&, const Probe&) {
  struct Count {
    int many = 0;
    pid_t last = 0;
  } count;
  each_process(
      [](pid_t pid, void* context) {
        auto* found = static_cast<Count*>(context);
        if (is_a_stranger(pid)) ++found->many, found->last = pid;
        return true;
      },
      &count);
  if (count.many == 0) return stopped("look in /proc", ENOENT);
  return exposed("/proc shows %d processes of other sessions, such as %d", count.many, count.last);
}

Attempt any_environment(const Yard& yard, const Probe&) {
  if (yard.variable[0] == '\0') return not_applicable("there is no secret in the launcher's environment");
  struct Search {
    const Yard& yard;
    Attempt found;
  } search{yard, stopped("look in /proc", ENOENT)};
  each_process(
      [](pid_t pid, void* context) {
        char path[48];
        std::snprintf(path, sizeof path, "/proc/%d/environ", pid);
        // Our own parent's is what we were given.
        if (pid == getpid() || (pid == getppid() && pid != 1)) return true;
        auto* at = static_cast<Search*>(context);
        Attempt attempt = find_line(at->yard, path);
        if (attempt.outcome == Outcome::Escaped || attempt.error != ENOENT) at->found = attempt;
        return attempt.outcome != Outcome::Escaped;
      },
      &search);
  return search.found;
}

Attempt any_root(const Yard& yard, const Probe&) {
  if (is_granted(yard)) return granted();
  struct Search {
    const char* canary;
    Attempt found;
  } search{yard.canary, stopped("look in /proc", ENOENT)};
  each_process(
      [](pid_t pid, void* context) {
        auto* at = static_cast<Search*>(context);
        char path[512];
        std::snprintf(path, sizeof path, "/proc/%d/root%s", pid, at->canary);
        Attempt attempt = read_canary_at(AT_FDCWD, path, "open /proc/PID/root");
        if (attempt.outcome == Outcome::Escaped || attempt.error != ENOENT) at->found = attempt;
        return attempt.outcome != Outcome::Escaped;
      },
      &search);
  return search.found;
}

enum : long { kMem, kMemWrite, kFd, kMaps, kStack, kSyscall, kIo, kOom, kClear, kExe };

constexpr Probe row(const char* id, const char* technique, const char* about, const char* reference,
                    const char* whom, Control control, Attempt (*run)(const Yard&, const Probe&), Proof proof,
                    long file = 0) {
  return {id,        Category::Processes,
          technique, about,
          reference, by(Layer::PidNs, Layer::UserNs, Layer::Mounts),
          proof,     control,
          run,       kPlain,
          whom,      file};
}
constexpr Probe file(const char* id, const char* technique, const char* about, const char* reference,
                     long which) {
  return row(id, technique, about, reference, kWitness, kBare, look, Proof::None, which);
}
constexpr Probe first(const char* id, const char* technique, const char* about, const char* reference,
                      long which) {
  Probe made = row(id, technique, about, reference, kFirst, kNamespaced, look, Proof::None, which);
  made.stopped_by = by(Layer::Capabilities, Layer::PidNs);
  return made;
}

constexpr Probe kOutside[] = {
    row("proc-root", "a file outside by /proc/PID/root",
        "Opens the canary below the root of a process outside, which /proc has as a link. It needs the right "
        "to trace the process, no path, and no trick; root in a chroot with /proc has it.",
        "proc_pid_root(5)", kWitness, kChroot, through_root, Proof::Line),
    row("proc-cwd", "up from /proc/PID/cwd",
        "Changes to the working directory of a process outside and goes up from there, where no root is that "
        "would stop it. The canary is then opened as a name below the host root.",
        "proc_pid_cwd(5)", kWitness, kChroot, through_cwd, Proof::Line),
    row("proc-environ", "environment of the launcher",
        "Reads the environment with which the launcher was started. Tokens and passwords are handed to "
        "programs that way; a jail can be given an empty one and still show the launcher's.",
        "proc_pid_environ(5)", kLauncher, kBare, environment, Proof::Line),
    file("proc-mem", "memory of a process outside, by its file",
         "Opens the memory of a process outside for reading. It gives what process_vm_readv gives, and is "
         "read by ordinary calls that no filter denies.",
         "proc_pid_mem(5)", kMem),
    file("proc-mem-write", "memory of a process outside, to write",
         "Opens the memory of a process outside for writing, and writes nothing. It writes also where the "
         "process itself cannot; CVE-2012-0056 gave root by it.",
         "CVE-2012-0056", kMemWrite),
    file("proc-fd", "descriptors of a process outside",
         "Lists the descriptors of a process outside. Each of them can be opened anew through its link, also "
         "what has no name any more.",
         "proc_pid_fd(5)", kFd),
    file("proc-maps", "address layout of a process outside",
         "Reads where a process outside has its program, libraries and stack. An attack on it needs to guess "
         "no address then.",
         "proc_pid_maps(5)", kMaps),
    file(
        "proc-stack", "kernel stack of a process outside",
        "Reads in which functions of the kernel a process outside waits. It needs CAP_SYS_ADMIN on the host.",
        "proc_pid_stack(5)", kStack),
    file("proc-syscall", "system call of a process outside",
         "Reads in which system call a process outside is, with its arguments and its stack's address. The "
         "addresses undo its random layout, and the arguments tell what it waits for.",
         "proc_pid_syscall(5)", kSyscall),
    file("proc-io", "bytes that a process outside reads and writes",
         "Reads how many bytes a process outside has read and written. At a terminal that is the length of a "
         "password.",
         "proc_pid_io(5)", kIo),
    file("proc-oom", "who outside is ended when memory is short",
         "Opens the score of a process outside for writing, and writes nothing. With the highest one the "
         "kernel ends it first for memory that the program takes.",
         "proc_pid_oom_score_adj(5)", kOom),
    file("proc-clear-refs", "marks of used memory of a process outside",
         "Opens the file that resets which pages of a process outside were used. With smaps it tells what "
         "the process touches.",
         "proc_pid_clear_refs(5)", kClear),
    file("proc-exe", "program file of a process outside",
         "Opens the program of a process outside through its link. Through the same link of a runtime's "
         "process containers overwrote the runtime itself.",
         "CVE-2019-5736", kExe),
};

constexpr Probe kFirstRows[] = {
    row("proc-first-environ", "environment of the jail's first process",
        "Reads the environment of process 1, which in a jail is a process of the launcher's. What the "
        "program was not given is often still there; bubblewrap's is the caller's own.",
        "proc_pid_environ(5)", kFirst, kNamespaced, environment, Proof::Line),
    row("proc-first-root", "a file outside by /proc/1/root",
        "Opens the canary below the root of process 1. It is outside where that process never changed its "
        "root, or is the host's.",
        "proc_pid_root(5)", kFirst, kChroot, through_root, Proof::Line),
    row("proc-first-cwd", "up from /proc/1/cwd",
        "Changes to the working directory of process 1 and goes up from there. A first process that changed "
        "its root and forgot its working directory is enough.",
        "proc_pid_cwd(5)", kFirst, kChroot, through_cwd, Proof::Line),
    first("proc-first-mem", "memory of the jail's first process",
          "Opens the memory of process 1 for reading, with what the launcher kept there. It is the file "
          "behind process_vm_readv, and asks for the same right.",
          "proc_pid_mem(5)", kMem),
    first("proc-first-mem-write", "memory of the jail's first process, to write",
          "Opens the memory of process 1 for writing, and writes nothing. What is written there runs outside "
          "of the program's filter and limits.",
          "proc_pid_mem(5)", kMemWrite),
    first("proc-first-fd", "descriptors of the jail's first process",
          "Lists the descriptors of process 1. What the launcher forgot to close there can be opened from "
          "inside.",
          "proc_pid_fd(5)", kFd),
    first("proc-first-maps", "address layout of the jail's first process",
          "Reads where process 1 has its program and libraries. A process that is forked from the launcher "
          "has them where the launcher has.",
          "proc_pid_maps(5)", kMaps),
    first("proc-first-exe", "program file of the jail's first process",
          "Opens the program of process 1, which is a file of the host's. A container that wrote to it "
          "replaced the runtime that root starts next.",
          "CVE-2019-5736", kExe),
};

constexpr Probe kAll[] = {
    row("proc-strangers", "processes of others in /proc",
        "Counts the processes that /proc shows and that are of no session of the jail's. Their arguments, "
        "users and working hours are then the program's to read.",
        "proc(5), pid_namespaces(7)", "", kBare, strangers, Proof::None),
    row("proc-any-environ", "the secret in any environment",
        "Reads the environment of every process that /proc shows, and looks for the canary's line in it. One "
        "process that was started outside, or before the environment was cleared, is enough.",
        "proc_pid_environ(5)", "", kBare, any_environment, Proof::Line),
    row("proc-any-root", "a file outside by any process's root",
        "Tries the root of every process that /proc shows. One that was started outside is enough.",
        "proc_pid_root(5)", "", kChroot, any_root, Proof::Line),
};

}  // namespace

std::span<const Probe> proc_files_outside() { return kOutside; }
std::span<const Probe> proc_files_first() { return kFirstRows; }
std::span<const Probe> proc_files_any() { return kAll; }

}  // namespace immure::probes
