// What a careless launcher left open, used as what it is.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "probes/descriptors/passing.h"
#include "probes/inside.h"

namespace immure::probes {
namespace {

int number(const Probe& row) { return static_cast<int>(row.number); }

// The canary by its last name, in the yard's folder.
Attempt read_in_folder(int folder, const Yard& yard) {
  const char* last = std::strrchr(yard.canary, '/');
  return read_canary_at(folder, last == nullptr ? yard.canary : last + 1, "openat");
}

Attempt in_the_folder(const Yard& yard, const Probe& row) {
  if (fcntl(number(row), F_GETFD) < 0) return stopped("fcntl");
  return read_in_folder(number(row), yard);
}

Attempt up_from_it(const Yard& yard, const Probe& row) {
  if (fchdir(number(row)) != 0) return stopped("fchdir");
  return look_from_here(yard);
}

Attempt up_through_proc(const Yard& yard, const Probe& row) {
  char path[512];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d/../../../../../../../../../../../../../../../..%s",
                number(row), yard.canary);
  return read_canary_at(AT_FDCWD, path, "open");
}

Attempt read_it(const Yard&, const Probe& row) {
  char line[128];
  ssize_t n = pread(number(row), line, sizeof line - 1, 0);
  if (n < 0) return stopped("pread");
  line[n] = '\0';
  line[std::strcspn(line, "\n")] = '\0';
  bool is_one = std::strncmp(line, kCanaryPrefix, sizeof kCanaryPrefix - 1) == 0;
  return is_one ? escaped("%s", line) : stopped("pread", ENOMSG);
}

// At the end of the file, where the line that others look for is not hurt.
Attempt write_it(const Yard&, const Probe& row) {
  off_t end = lseek(number(row), 0, SEEK_END);
  if (end < 0) return stopped("lseek");
  if (pwrite(number(row), "changed from inside\n", 20, end) != 20) return stopped("pwrite");
  return escaped("20 bytes were added to the file outside");
}

Attempt from_the_top(const Yard& yard, const Probe& row) {
  return read_canary_at(number(row), yard.canary + (yard.canary[0] == '/'), "openat");
}

// Starts a program of the host's by the descriptor of its root.
Attempt run_from_the_top(const Yard&, const Probe& row) {
  if (fcntl(number(row), F_GETFD) < 0) return stopped("fcntl");
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return stopped("pipe2");
  pid_t child = fork();
  if (child < 0) return stopped("fork");
  if (child == 0) {
    char name[] = "true";
    char* const arguments[] = {name, nullptr};
    char* const environment[] = {nullptr};
    syscall(SYS_execveat, number(row), "usr/bin/true", arguments, environment, 0);
    int error = errno;
    _exit(write(ends[1], &error, sizeof error) == sizeof error ? 1 : 2);
  }
  close(ends[1]);
  int error = 0;
  bool failed = read(ends[0], &error, sizeof error) == sizeof error;
  int status = 0;
  waitpid(child, &status, 0);
  return failed ? stopped("execveat", error)
                : exposed("a program outside was started by its root's descriptor");
}

Attempt enter(const Yard& yard, const Probe& row) {
  if (setns(number(row), CLONE_NEWNS) != 0) return stopped("setns");
  return read_canary_at(AT_FDCWD, yard.canary, "open the canary");
}

Attempt ask_witness(const Yard& yard, const Probe& row) {
  if (write(number(row), "fd?", 3) != 3) return stopped("write");
  int fd = receive_descriptor(number(row));
  return fd < 0 ? stopped("recvmsg") : read_in_folder(fd, yard);
}

Attempt signal_witness(const Yard&, const Probe& row) {
  if (syscall(SYS_pidfd_send_signal, number(row), SIGUSR1, nullptr, 0) != 0)
    return stopped("pidfd_send_signal");
  return escaped("SIGUSR1 was sent to the witness");
}

// Each of the low descriptors of the witness, until one leads to the yard.
Attempt take_from_witness(const Yard& yard, const Probe& row) {
  Attempt attempt = stopped("pidfd_getfd", EBADF);
  for (int other = 0; other < 64; ++other) {
    int fd = static_cast<int>(syscall(SYS_pidfd_getfd, number(row), other, 0));
    if (fd < 0) {
      if (attempt.outcome == Outcome::Stopped) attempt = stopped("pidfd_getfd");
      if (errno == EPERM || errno == ENOSYS) break;
      continue;
    }
    attempt = exposed("descriptor %d of the witness was copied", other);
    close(fd);
  }
  (void)yard;
  return attempt;
}

Attempt watch(const Yard&, const Probe& row) {
  epoll_event event;
  int n = epoll_wait(number(row), &event, 1, 0);
  if (n < 0) return stopped("epoll_wait");
  return exposed("it tells of what happens at a pipe outside");
}

Attempt enter_ring(const Yard&, const Probe& row) {
  constexpr unsigned kRegisterProbe = 8;
  // A probe of what it can do: no request is made.
  alignas(8) char answer[16 + 8 * 64] = {};
  if (syscall(SYS_io_uring_register, number(row), kRegisterProbe, answer, 64) != 0)
    return stopped("io_uring_register");
  return exposed("the ring takes requests, with the rights of who made it");
}

// Those that lead out, at every number.
Attempt any(const Yard& yard, const Probe&) {
  int last = 0;
  for (int fd = 3; fd < 4096; ++fd) {
    struct stat st;
    if (fstat(fd, &st) != 0) continue;
    last = fd;
    if (!S_ISDIR(st.st_mode) || fchdir(fd) != 0) continue;
    Attempt seen = look_from_here(yard);
    if (seen.outcome == Outcome::Escaped) return seen;
  }
  return last == 0 ? stopped("fstat", EBADF) : stopped("fchdir", ENOTDIR);
}

constexpr uint32_t kWalls = by(Layer::Fds, Layer::Landlock), kFds = by(Layer::Fds);
constexpr Probe kLeaked[] = {
    {"leaked-folder", Category::Descriptors, "file opened in a leaked folder",
     "A launcher that opens a folder and forgets close-on-exec gives the program everything below it. No "
     "root, no mount and no namespace is asked, because the look-up starts at the descriptor.",
     "openat(2), CVE-2024-21626", kWalls, Proof::Line, kBare, in_the_folder, kPlain, "", kLeakedFolder},
    {"leaked-folder-walk", Category::Descriptors, "fchdir to a leaked folder, then chdir ..",
     "From a leaked folder upwards: fchdir puts the working directory above the jail's root, and the steps "
     "up end at the host's. Two of runc's escapes, of 2016 and 2024, were of this kind.",
     "CVE-2016-9962, CVE-2024-21626", kWalls, Proof::Line, kBare, up_from_it, kPlain, "", kLeakedFolder},
    {"leaked-folder-proc", Category::Descriptors, "/proc/self/fd/5/.. of a leaked folder",
     "The same in one path: /proc/self/fd/N is followed to the open folder, and \"..\" behind it leads up. "
     "It works in a program that passes path names on and opens nothing itself, such as an interpreter that "
     "takes its working directory from a file.",
     "proc_pid_fd(5), CVE-2024-21626", kWalls, Proof::Line, kBare, up_through_proc, kPlain, "",
     kLeakedFolder},
    {"leaked-high", Category::Descriptors, "leaked folder at a high number",
     "The same at number 900. Launchers that close the first 64, or the first 256, leave it open; "
     "close_range closes all there can be.",
     "close_range(2)", kWalls, Proof::Line, kBare, up_from_it, kPlain, "", kLeakedHigh},
    {"leaked-file", Category::Descriptors, "leaked file, read",
     "A file of the launcher's, such as its configuration or a log with secrets, stays readable for who has "
     "the number. No path to it, no mode and no mount is looked at any more.",
     "open(2), O_CLOEXEC", kFds, Proof::Line, kBare, read_it, kPlain, "", kLeakedFile},
    {"leaked-writable", Category::Descriptors, "leaked file, written to",
     "A file that the launcher writes, such as its log or its state, can be written by the program. What "
     "rights the file has now does not matter: they were looked at when it was opened.",
     "open(2), O_CLOEXEC", kFds, Proof::Changed, kBare, write_it, kPlain, "", kLeakedWritable},
    {"leaked-memory", Category::Descriptors, "leaked memory file, read",
     "Memory files have no name in any folder. What a launcher hands from one of its parts to another in one "
     "is the program's as well when it stays open.",
     "memfd_create(2)", kFds, Proof::Line, kBare, read_it, kPlain, "", kLeakedMemory},
    {"leaked-top", Category::Descriptors, "leaked O_PATH descriptor of the host's /",
     "O_PATH opens nothing, and is enough: paths start at it. Launchers keep such a descriptor of the old "
     "root to come back to, and forget it.",
     "open(2), O_PATH", kWalls, Proof::Line, kBare, from_the_top, kPlain, "", kLeakedTop},
    {"leaked-top-exec", Category::Descriptors, "program outside started by a leaked /",
     "execveat starts what a descriptor and a path say. It may be a program that the jail does not have; it "
     "runs with the jail's rights.",
     "execveat(2)", kWalls, Proof::None, kBare, run_from_the_top, kPlain, "", kLeakedTop},
    {"leaked-namespace", Category::Descriptors, "setns to a leaked mount namespace",
     "A descriptor of the host's mount namespace is a ticket into it for who has CAP_SYS_ADMIN over it. Root "
     "in a jail without a user namespace has that.",
     "setns(2)", kFds | by(Layer::Capabilities, Layer::UserNs, Layer::Seccomp), Proof::Line, kBare, enter,
     kPlain, "", kLeakedNamespace},
    {"leaked-socket", Category::Descriptors, "descriptor asked for over a leaked socket",
     "A socket to a service outside goes through every namespace, and can bring descriptors. The witness at "
     "the other end answers a question with one of a folder, as a bus or a session manager would.",
     "unix(7), SCM_RIGHTS", kWalls, Proof::Line, kBare, ask_witness, kPlain, "", kLeakedSocket},
    {"leaked-pidfd", Category::Descriptors, "signal through a leaked pidfd",
     "A pidfd names a process without a number, and so past the pid namespace. Whoever has the same user id, "
     "or is root, can signal it.",
     "pidfd_send_signal(2)", kFds | by(Layer::UserNs), Proof::Signal, kBare, signal_witness, kPlain, "",
     kLeakedPidfd},
    {"leaked-pidfd-copy", Category::Descriptors, "descriptors copied through a leaked pidfd",
     "pidfd_getfd takes a descriptor out of another process. It asks for the right to trace that process, "
     "which the same user often has.",
     "pidfd_getfd(2) since 5.6", kFds | by(Layer::UserNs, Layer::Seccomp), Proof::None, kBare,
     take_from_witness, kPlain, "", kLeakedPidfd},
    {"leaked-pidfd-enter", Category::Descriptors, "setns with a leaked pidfd",
     "Since Linux 5.8 a pidfd is as good for setns as the namespaces of its process. One descriptor of a "
     "helper process is the way into its mounts.",
     "setns(2)", kFds | by(Layer::Capabilities, Layer::UserNs, Layer::Seccomp), Proof::Line, kBare, enter,
     kPlain, "", kLeakedPidfd},
    {"leaked-epoll", Category::Descriptors, "waiting on a leaked epoll",
     "An epoll descriptor keeps the files that it watches alive and tells when something happens there. The "
     "program needs none of them itself.",
     "epoll(7)", kFds, Proof::None, kBare, watch, kPlain, "", kLeakedEpoll},
    {"leaked-ring", Category::Descriptors, "request to a leaked io_uring",
     "A ring carries files that were registered with it, and does work with the rights of who registered for "
     "it. Its calls pass the filter as three numbers, whatever the requests are.",
     "io_uring(7)", kFds | by(Layer::Seccomp), Proof::None, kBare, enter_ring, kPlain, "", kLeakedRing},
    {"any-descriptor", Category::Descriptors, "every open number up to 4095",
     "Looks at all numbers from 3 to 4095 for a folder that leads to the outside, as a program does that "
     "does not know what its launcher forgot. It finds a leak of any launcher, not only those that the "
     "battery makes.",
     "close_range(2)", kWalls, Proof::Line, kBare, any},
};

}  // namespace

std::span<const Probe> leaked() { return kLeaked; }

}  // namespace immure::probes
