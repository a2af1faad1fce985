// A desk with two pseudo terminals: the test plays the person at the caller's and the program at the jail's.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>

#include <chrono>
#include <functional>
#include <string>

#include "base/text.h"
#include "run/terminal.h"

namespace immure::run::desk {

using Clock = std::chrono::steady_clock;

struct Pair {
  UniqueFd master, slave;
  Pair() {
    int m = -1, s = -1;
    winsize size{24, 80, 0, 0};
    EXPECT_EQ(openpty(&m, &s, nullptr, nullptr, &size), 0);
    master.reset(m);
    slave.reset(s);
    fcntl(m, F_SETFD, FD_CLOEXEC);
  }
};

struct Pipe {
  UniqueFd read, write;
  Pipe() {
    int fds[2];
    EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
    read.reset(fds[0]);
    write.reset(fds[1]);
  }
};

inline termios mode_of(int fd) {
  termios mode{};
  EXPECT_EQ(tcgetattr(fd, &mode), 0);
  return mode;
}
inline bool is_raw(int fd) { return (mode_of(fd).c_lflag & (ICANON | ECHO | ISIG)) == 0; }
inline bool same(const termios& a, const termios& b) {
  return a.c_iflag == b.c_iflag && a.c_oflag == b.c_oflag && a.c_cflag == b.c_cflag &&
         a.c_lflag == b.c_lflag && std::equal(std::begin(a.c_cc), std::end(a.c_cc), std::begin(b.c_cc));
}
inline void make_raw(int fd) {
  termios mode = mode_of(fd);
  cfmakeraw(&mode);
  ASSERT_EQ(tcsetattr(fd, TCSANOW, &mode), 0);
}

inline void put(int fd, const std::string& text) {
  ASSERT_EQ(write(fd, text.data(), text.size()), ssize_t(text.size()));
}

// What can be read right now.
inline std::string take(int fd, size_t limit = 1 << 20) {
  std::string all;
  char buffer[4096];
  pollfd one{fd, POLLIN, 0};
  while (all.size() < limit && poll(&one, 1, 0) == 1 && (one.revents & POLLIN) != 0) {
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0) break;
    all.append(buffer, size_t(n));
  }
  return all;
}

// The supervisor's loop, until `done` holds or the time is over.
inline bool pump(Terminal& terminal, const std::function<bool()>& done, int limit_ms = 3000) {
  auto end = Clock::now() + std::chrono::milliseconds(limit_ms);
  while (!done()) {
    if (Clock::now() > end) return false;
    pollfd fds[Terminal::kPollFds];
    size_t n = terminal.poll_set(fds);
    int wait = terminal.timeout_ms();
    poll(fds, n, wait < 0 || wait > 10 ? 10 : wait);
    terminal.handle(std::span(fds, n));
  }
  return true;
}
inline void pump_for(Terminal& terminal, int ms) {
  pump(
      terminal, [] { return false; }, ms);
}

struct Desk {
  Pair outer, inner;
  SavedTerminal saved;
  termios before = mode_of(outer.slave.get());

  int user() const { return outer.master.get(); }
  int program() const { return inner.slave.get(); }
  int caller() const { return outer.slave.get(); }

  Result<Terminal> start(unsigned pty_fds, int in, int out, int err) {
    int fds[3] = {in, out, err};
    dress_terminal(inner.master.get(), pty_fds, fds);
    return Terminal::start(UniqueFd(dup(inner.master.get())), pty_fds, &saved, fds);
  }
  Result<Terminal> start() { return start(7, caller(), caller(), caller()); }
  // The only master left is the Terminal's, so that closing it hangs the pair up.
  Result<Terminal> start_alone(unsigned pty_fds, int in, int out, int err) {
    int fds[3] = {in, out, err};
    dress_terminal(inner.master.get(), pty_fds, fds);
    return Terminal::start(std::move(inner.master), pty_fds, &saved, fds);
  }
  bool restored() { return same(before, mode_of(caller())); }
};

}  // namespace immure::run::desk
