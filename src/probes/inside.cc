#include "probes/inside.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace immure::probes {
namespace {

constexpr int kPatience = 2000;  // milliseconds

Attempt with_text(Outcome outcome, const char* format, va_list arguments) {
  Attempt attempt;
  attempt.outcome = outcome;
  std::vsnprintf(attempt.text, sizeof attempt.text, format, arguments);
  return attempt;
}

}  // namespace

Attempt stopped(const char* where) { return stopped(where, errno); }

Attempt stopped(const char* where, int error) {
  Attempt attempt;
  attempt.error = error;
  std::snprintf(attempt.where, sizeof attempt.where, "%s", where);
  return attempt;
}

Attempt escaped(const char* proof, ...) {
  va_list arguments;
  va_start(arguments, proof);
  Attempt attempt = with_text(Outcome::Escaped, proof, arguments);
  va_end(arguments);
  return attempt;
}

Attempt exposed(const char* what, ...) {
  va_list arguments;
  va_start(arguments, what);
  Attempt attempt = with_text(Outcome::Exposed, what, arguments);
  va_end(arguments);
  return attempt;
}

Attempt not_applicable(const char* why, ...) {
  va_list arguments;
  va_start(arguments, why);
  Attempt attempt = with_text(Outcome::NotApplicable, why, arguments);
  va_end(arguments);
  return attempt;
}

Attempt door(const char* where, long result) {
  if (result >= 0) return exposed("%s succeeded", where);
  if (errno == EPERM || errno == EACCES || errno == ENOSYS) return stopped(where);
  return exposed("%s looks at its arguments: %s", where, strerror(errno));
}

Attempt read_canary(int fd, const char* where) {
  char line[128];
  ssize_t n = read(fd, line, sizeof line - 1);
  if (n < 0) return stopped(where);
  line[n] = '\0';
  line[std::strcspn(line, "\n")] = '\0';
  if (std::strncmp(line, kCanaryPrefix, sizeof kCanaryPrefix - 1) != 0) return stopped(where, ENOMSG);
  return escaped("%s", line);
}

Attempt read_canary_at(int folder, const char* path, const char* where) {
  int fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return stopped(where);
  Attempt attempt = read_canary(fd, where);
  close(fd);
  return attempt;
}

Attempt look_from_here(const Yard& yard) {
  for (int i = 0; i < 64; ++i) {
    if (chdir("..") != 0) return stopped("chdir ..");
  }
  return read_canary_at(AT_FDCWD, yard.canary + (yard.canary[0] == '/'), "open the canary");
}

bool is_granted(const Yard& yard) { return access(yard.canary, R_OK) == 0; }
Attempt granted() {
  return not_applicable("the host's files are granted by plain path: there is nothing to walk to");
}

bool in_callers_mounts(const Yard& yard) {
  char mine[64];
  ssize_t n = readlink("/proc/self/ns/mnt", mine, sizeof mine - 1);
  if (n <= 0) return false;
  mine[n] = '\0';
  return std::strstr(yard.namespaces, mine) != nullptr;
}

bool nothing_to_walk_to(const Yard& yard) { return is_granted(yard) && !in_callers_mounts(yard); }

bool own_mounts(const Yard& yard) {
  if (unshare(CLONE_NEWNS) != 0) {
    int error = errno;
    bool jailed =
        yard.namespaces[0] != '\0' && access("/proc/self/ns/mnt", F_OK) == 0 && !in_callers_mounts(yard);
    errno = error;
    return jailed;
  }
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0) return true;
  // Under Landlock nobody changes how mounts propagate, and nobody makes mounts either.
  if (errno != EINVAL) return true;
  // In a chroot "/" is no mount: from the top of the namespace, which its own descriptor leads to, and back.
  int here = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  int self = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  bool is_private = here >= 0 && self >= 0 && setns(self, CLONE_NEWNS) == 0 &&
                    mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  int error = errno;
  if (here < 0 || fchdir(here) != 0 || chroot(".") != 0) is_private = false;
  if (here >= 0) close(here);
  if (self >= 0) close(self);
  errno = error;
  return is_private;
}

long read_text(const char* path, char* buffer, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -1;
  size_t have = 0;
  while (have < size - 1) {
    ssize_t n = read(fd, buffer + have, size - 1 - have);
    if (n < 0) {
      int error = errno;
      close(fd);
      errno = error;
      return -1;
    }
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  close(fd);
  if (have > 0 && buffer[have - 1] == '\n') --have;
  buffer[have] = '\0';
  return static_cast<long>(have);
}

bool scratch_path(const Yard& yard, const char* name, char* buffer, size_t size) {
  if (yard.scratch[0] == '\0') return false;
  std::snprintf(buffer, size, "%s/immure-probe-%s-%d", yard.scratch, name, getpid());
  return true;
}

Attempt apart(Attempt (*body)(const Yard&, const Probe&), const Yard& yard, const Probe& row) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return stopped("pipe2");
  pid_t child = fork();
  if (child < 0) {
    Attempt attempt = stopped("fork");
    close(ends[0]);
    close(ends[1]);
    return attempt;
  }
  if (child == 0) {
    Attempt attempt = body(yard, row);
    _exit(write(ends[1], &attempt, sizeof attempt) == sizeof attempt ? 0 : 1);
  }
  close(ends[1]);
  pollfd wait_for{ends[0], POLLIN, 0};
  int ready = poll(&wait_for, 1, kPatience);
  Attempt attempt = stopped("wait", ETIMEDOUT);
  bool told = ready > 0 && read(ends[0], &attempt, sizeof attempt) == sizeof attempt;
  close(ends[0]);
  if (!told) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (!told && ready > 0) {
    attempt = stopped("it", EINTR);
    std::snprintf(attempt.where, sizeof attempt.where,
                  WIFSIGNALED(status) ? "killed by signal %d" : "ended with %d",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  }
  return attempt;
}

}  // namespace immure::probes
