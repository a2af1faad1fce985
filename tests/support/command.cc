#include "support/command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace immure::test {

double now_seconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

bool eventually(const std::function<bool()>& condition, double seconds) {
  const double end = now_seconds() + seconds;
  for (unsigned pause = 2000; !condition(); pause = std::min(pause * 2, 100000u)) {
    if (now_seconds() > end) return false;
    usleep(pause);
  }
  return true;
}

Command& Command::arg(std::string_view word) {
  arguments_.emplace_back(word);
  return *this;
}
Command& Command::args(const std::vector<std::string>& words) {
  arguments_.insert(arguments_.end(), words.begin(), words.end());
  return *this;
}
Command& Command::input(std::string_view text) {
  input_ = text;
  return *this;
}
Command& Command::keep_input_open() {
  open_input_ = true;
  return *this;
}
Command& Command::env(std::string_view name, std::string_view value) {
  env_.emplace_back(name, value);
  return *this;
}
Command& Command::unset(std::string_view name) {
  unset_.emplace_back(name);
  return *this;
}
Command& Command::cwd(std::string_view path) {
  cwd_ = path;
  return *this;
}
Command& Command::timeout(double seconds) {
  timeout_ = seconds;
  return *this;
}
Command& Command::closed(int fd) {
  closed_.push_back(fd);
  return *this;
}
Command& Command::pass(int number, int fd) {
  passed_.emplace_back(number, fd);
  return *this;
}
Command& Command::terminal(unsigned short rows, unsigned short columns) {
  terminal_ = true;
  rows_ = rows;
  columns_ = columns;
  return *this;
}
Command& Command::before_exec(std::function<void()> setup) {
  setup_ = std::move(setup);
  return *this;
}
Outcome Command::run() { return start().wait(); }

namespace {

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  _exit(99);
}

// A master whose slave becomes the child's terminal.
int open_terminal(std::string* slave) {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) return -1;
  char name[64];
  if (ptsname_r(master, name, sizeof name) != 0) return -1;
  *slave = name;
  return master;
}

struct Ends {
  int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
};

}  // namespace

Running Command::start() {
  Running running;
  running.timeout_ = timeout_;
  running.started_ = now_seconds();
  Ends ends;
  std::string slave;
  if (terminal_) {
    running.terminal_ = open_terminal(&slave);
    if (running.terminal_ < 0) return running;
    running.resize(rows_, columns_);
  } else {
    if (pipe2(ends.in, O_CLOEXEC) != 0 || pipe2(ends.out, O_CLOEXEC) != 0 || pipe2(ends.err, O_CLOEXEC) != 0) return running;
  }

  std::fflush(nullptr);
  running.pid_ = fork();
  if (running.pid_ == 0) {
    setsid();
    if (terminal_) {
      int tty = open(slave.c_str(), O_RDWR | O_CLOEXEC);
      if (tty < 0 || ioctl(tty, TIOCSCTTY, 0) != 0) give_up("terminal");
      for (int fd = 0; fd < 3; ++fd) dup2(tty, fd);
    } else {
      int input = ends.in[0];
      if (input_.empty() && !open_input_) input = open("/dev/null", O_RDONLY | O_CLOEXEC);
      dup2(input, 0);
      dup2(ends.out[1], 1);
      dup2(ends.err[1], 2);
    }
    if (!cwd_.empty() && chdir(cwd_.c_str()) != 0) give_up("chdir");
    for (const std::string& name : unset_) unsetenv(name.c_str());
    for (const auto& [name, value] : env_) setenv(name.c_str(), value.c_str(), 1);
    if (setup_) setup_();
    // Nothing of the test leaks but what it passes on purpose; first close-on-exec for all, then the exceptions.
    syscall(SYS_close_range, 3, ~0U, 4);
    for (const auto& [number, fd] : passed_) {
      if (number == fd) {
        fcntl(fd, F_SETFD, 0);
      } else {
        dup2(fd, number);
      }
    }
    for (int fd : closed_) close(fd);
    std::vector<char*> words;
    for (std::string& word : arguments_) words.push_back(word.data());
    words.push_back(nullptr);
    execvp(words[0], words.data());
    give_up(words[0]);
  }

  for (int fd : {ends.in[0], ends.out[1], ends.err[1]}) {
    if (fd >= 0) close(fd);
  }
  running.in_ = ends.in[1];
  running.out_ = ends.out[0];
  running.err_ = ends.err[0];
  if (!terminal_) {
    running.pending_input_ = input_;
    running.close_when_written_ = !open_input_;
    fcntl(running.in_, F_SETFL, O_NONBLOCK);
    if (input_.empty() && !open_input_) running.close_input();
  }
  return running;
}

Running::Running(Running&& other) noexcept
    : pid_(other.pid_), in_(other.in_), out_(other.out_), err_(other.err_), terminal_(other.terminal_),
      started_(other.started_), timeout_(other.timeout_), pending_input_(std::move(other.pending_input_)),
      close_when_written_(other.close_when_written_), outcome_(std::move(other.outcome_)) {
  other.pid_ = other.in_ = other.out_ = other.err_ = other.terminal_ = -1;
}

Running::~Running() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  for (int fd : {in_, out_, err_, terminal_}) {
    if (fd >= 0) close(fd);
  }
}

bool Running::write(std::string_view text) {
  int fd = terminal_ >= 0 ? terminal_ : in_;
  while (!text.empty()) {
    ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EAGAIN) {
      pollfd ready{fd, POLLOUT, 0};
      poll(&ready, 1, 1000);
      continue;
    }
    if (n < 0) return false;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

void Running::close_input() {
  if (in_ >= 0) close(in_);
  in_ = -1;
}

void Running::signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

void Running::resize(unsigned short rows, unsigned short columns) const {
  winsize size{rows, columns, 0, 0};
  ioctl(terminal_, TIOCSWINSZ, &size);
}

// Moves bytes until `enough` or everything is closed; false when the time is over.
bool Running::pump(double seconds, const std::function<bool()>& enough) {
  const double end = now_seconds() + seconds;
  while (!enough()) {
    pollfd fds[3];
    nfds_t count = 0;
    for (int fd : {terminal_, out_, err_}) {
      if (fd >= 0) fds[count++] = pollfd{fd, POLLIN, 0};
    }
    if (count == 0) return true;
    double left = end - now_seconds();
    if (left <= 0) return false;
    if (!pending_input_.empty() && in_ >= 0) {
      ssize_t n = ::write(in_, pending_input_.data(), pending_input_.size());
      if (n > 0) pending_input_.erase(0, static_cast<size_t>(n));
      if (n < 0 && errno != EAGAIN) pending_input_.clear();  // nobody reads it any more
    }
    if (pending_input_.empty() && close_when_written_) close_input();
    poll(fds, count, static_cast<int>(std::min(left, pending_input_.empty() ? 0.05 : 0.01) * 1000) + 1);
    for (nfds_t i = 0; i < count; ++i) {
      if (fds[i].revents == 0) continue;
      char buffer[1 << 16];
      ssize_t n = read(fds[i].fd, buffer, sizeof buffer);
      int& slot = fds[i].fd == err_ ? err_ : fds[i].fd == out_ ? out_ : terminal_;
      std::string& text = fds[i].fd == err_ ? outcome_.err : outcome_.out;
      if (n > 0) {
        text.append(buffer, static_cast<size_t>(n));
      } else if (n == 0 || errno != EINTR) {
        close(slot);  // EIO: the last one has closed the terminal
        slot = -1;
      }
    }
    // A grandchild may keep the pipes: the end of the program itself ends the reading, too.
    siginfo_t info{};
    if (pid_ > 0 && waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_) {
      pollfd more[3];
      nfds_t still = 0;
      for (int fd : {terminal_, out_, err_}) {
        if (fd >= 0) more[still++] = pollfd{fd, POLLIN, 0};
      }
      bool waiting = false;
      poll(more, still, 0);
      for (nfds_t i = 0; i < still; ++i) waiting = waiting || (more[i].revents & POLLIN) != 0;
      if (!waiting) return true;
    }
  }
  return true;
}

bool Running::wait_for(std::string_view text, double seconds) {
  auto seen = [&] { return outcome_.out.find(text) != std::string::npos; };
  pump(seconds, seen);
  return seen();
}

Outcome Running::wait() {
  if (pid_ < 0) return outcome_;
  if (!pump(timeout_ - (now_seconds() - started_), [] { return false; })) {
    outcome_.timed_out = true;
    kill(pid_, SIGKILL);
  }
  int status = 0;
  // All output closed does not mean that it ended.
  const double end = started_ + timeout_;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (now_seconds() > end) {
      outcome_.timed_out = true;
      kill(pid_, SIGKILL);
      waitpid(pid_, &status, 0);
      break;
    }
    usleep(1000);
  }
  pid_ = -1;
  outcome_.seconds = now_seconds() - started_;
  outcome_.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  outcome_.status = outcome_.signal != 0 ? 128 + outcome_.signal : WEXITSTATUS(status);
  return outcome_;
}

}  // namespace immure::test
