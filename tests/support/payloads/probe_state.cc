// What the program finds itself to be: identity, descriptors, environment, clocks.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "probe.h"

extern char** environ;

namespace probe {
namespace {

Verdict do_ids(const Words&) {
  uid_t r = 0, e = 0, s = 0;
  gid_t gr = 0, ge = 0, gs = 0;
  getresuid(&r, &e, &s);
  getresgid(&gr, &ge, &gs);
  gid_t groups[256];
  int count = getgroups(256, groups);
  char head[128];
  std::snprintf(head, sizeof head, "uid=%u/%u/%u gid=%u/%u/%u groups=", r, e, s, gr, ge, gs);
  std::string text = head;
  for (int i = 0; i < count; ++i) text += (i == 0 ? "" : ",") + std::to_string(groups[i]);
  return ok(text);
}

// status FIELD…: lines of /proc/self/status, as FIELD=value.
Verdict do_status(const Words& words) {
  int failed = 0;
  std::string all = "\n" + slurp("/proc/self/status", &failed);
  if (failed != 0) return error(failed);
  std::string text;
  for (const std::string& field : words) {
    size_t at = all.find("\n" + field + ":");
    std::string value = "none";
    if (at != std::string::npos) {
      size_t from = all.find_first_not_of("\t ", at + field.size() + 2);
      value = all.substr(from, all.find('\n', from) - from);
      std::replace(value.begin(), value.end(), '\t', ' ');
    }
    text += (text.empty() ? "" : " ") + field + "=" + value;
  }
  return ok(text);
}

// The open descriptors by asking for each number, not by /proc, which may be masked.
Verdict do_fds(const Words&) {
  std::string text;
  for (int first = 0; first < 65536; first += 64) {
    pollfd some[64];
    for (int i = 0; i < 64; ++i) some[i] = {first + i, 0, 0};
    if (poll(some, 64, 0) < 0) return error(errno, "poll");
    for (const pollfd& one : some) {
      // The pipe to the probe's parent is close-on-exec, as all that the probe opens is.
      if ((one.revents & POLLNVAL) == 0 && (fcntl(one.fd, F_GETFD) & FD_CLOEXEC) == 0)
        text += (text.empty() ? "" : " ") + std::to_string(one.fd);
    }
  }
  return ok(text);
}
Verdict do_fd(const Words& words) {
  int fd = static_cast<int>(number(words[0]));
  struct stat st {};
  if (fstat(fd, &st) != 0) return error(errno);
  const char* kind = S_ISREG(st.st_mode)    ? "file"
                     : S_ISDIR(st.st_mode)  ? "directory"
                     : S_ISCHR(st.st_mode)  ? "device"
                     : S_ISFIFO(st.st_mode) ? "pipe"
                     : S_ISSOCK(st.st_mode) ? "socket"
                                            : "other";
  int flags = fcntl(fd, F_GETFL);
  const char* access = (flags & O_ACCMODE) == O_RDONLY ? "r" : (flags & O_ACCMODE) == O_WRONLY ? "w" : "rw";
  return ok(std::string(kind) + " " + access + (isatty(fd) != 0 ? " tty" : ""));
}
// The file system that it is of, as stat shows it.
Verdict do_fd_device(const Words& words) {
  struct stat st {};
  if (fstat(static_cast<int>(number(words[0])), &st) != 0) return error(errno);
  return ok(std::to_string(major(st.st_dev)) + ":" + std::to_string(minor(st.st_dev)));
}
Verdict do_fd_read(const Words& words) {
  char buffer[4096];
  ssize_t n = read(static_cast<int>(number(words[0])), buffer, sizeof buffer);
  return n < 0 ? error(errno) : ok(std::string(buffer, static_cast<size_t>(n)));
}
Verdict do_fd_write(const Words& words) {
  return of(write(static_cast<int>(number(words[0])), words[1].data(), words[1].size()));
}

Verdict do_env(const Words&) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
  std::sort(all.begin(), all.end());
  std::string text;
  for (const std::string& entry : all) text += (text.empty() ? "" : "\n") + entry;
  return ok(text);
}
Verdict do_cwd(const Words&) {
  char path[4096];
  long n = syscall(SYS_getcwd, path, sizeof path);
  return n < 0 ? error(errno) : ok(path);
}
Verdict do_umask(const Words&) {
  char text[8];
  std::snprintf(text, sizeof text, "%03o", umask(0));
  return ok(text);
}
Verdict do_hostname(const Words& words) {
  if (!words.empty()) return of(sethostname(words[0].data(), words[0].size()));
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return ok(name);
}
Verdict do_parent(const Words&) {
  // This runs in a child of the probe; the probe's own numbers are the parent's.
  pid_t self = getppid();
  return ok("pid=" + std::to_string(self) + " sid=" + std::to_string(getsid(self)) + " pgid=" + std::to_string(getpgid(self)));
}

// Seconds of every clock that tells how long the host has been up.
Verdict do_clocks(const Words&) {
  timespec boot{}, monotonic{}, real{};
  clock_gettime(CLOCK_BOOTTIME, &boot);
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  clock_gettime(CLOCK_REALTIME, &real);
  struct sysinfo info {};
  long sysinfo_up = sysinfo(&info) == 0 ? info.uptime : -errno;
  int failed = 0;
  std::string proc = slurp("/proc/uptime", &failed);
  char text[160];
  std::snprintf(text, sizeof text, "boot=%ld monotonic=%ld real=%ld sysinfo=%ld proc=%s", boot.tv_sec, monotonic.tv_sec,
                real.tv_sec, sysinfo_up, failed != 0 ? "none" : proc.substr(0, proc.find('.')).c_str());
  return ok(text);
}
Verdict do_set_clock(const Words&) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return of(syscall(SYS_clock_settime, CLOCK_REALTIME, &now));
}

// The processes that /proc shows.
Verdict do_pids(const Words&) {
  DIR* dir = opendir("/proc");
  if (dir == nullptr) return error(errno);
  std::vector<int> pids;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') pids.push_back(static_cast<int>(number(entry->d_name)));
  }
  std::sort(pids.begin(), pids.end());
  std::string text;
  for (int pid : pids) text += (text.empty() ? "" : " ") + std::to_string(pid);
  return ok(text);
}

Verdict do_signals(const Words&) {
  std::string blocked, ignored;
  sigset_t mask;
  sigprocmask(SIG_BLOCK, nullptr, &mask);
  for (int i = 1; i < 32; ++i) {
    struct sigaction action {};
    sigaction(i, nullptr, &action);
    if (sigismember(&mask, i) == 1) blocked += " " + std::to_string(i);
    if (action.sa_handler == SIG_IGN) ignored += " " + std::to_string(i);
  }
  return ok("blocked:" + blocked + " ignored:" + ignored);
}

Verdict do_tty(const Words&) {
  int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
  if (fd < 0) return error(errno);
  winsize size{};
  ioctl(fd, TIOCGWINSZ, &size);
  return ok(std::to_string(size.ws_row) + "x" + std::to_string(size.ws_col));
}

constexpr Action kActions[] = {
    {"ids", "", 0, do_ids},
    {"status", "FIELD...", 1, do_status},
    {"fds", "", 0, do_fds},
    {"fd", "NUMBER", 1, do_fd},
    {"fd-device", "NUMBER", 1, do_fd_device},
    {"fd-read", "NUMBER", 1, do_fd_read},
    {"fd-write", "NUMBER TEXT", 2, do_fd_write},
    {"env", "", 0, do_env},
    {"cwd", "", 0, do_cwd},
    {"umask", "", 0, do_umask},
    {"hostname", "[NEW]", 0, do_hostname},
    {"session", "", 0, do_parent},
    {"clocks", "", 0, do_clocks},
    {"set-clock", "", 0, do_set_clock},
    {"pids", "", 0, do_pids},
    {"signals", "", 0, do_signals},
    {"tty", "", 0, do_tty},
};

}  // namespace

std::span<const Action> state_actions() { return kActions; }

}  // namespace probe
