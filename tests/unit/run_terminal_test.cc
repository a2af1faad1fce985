// The caller's terminal and the program's are both pseudo terminals here; the test plays the person at the
// first and the program at the second. (S132, U51)
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

namespace immure::run {
namespace {

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

termios mode_of(int fd) {
  termios mode{};
  EXPECT_EQ(tcgetattr(fd, &mode), 0);
  return mode;
}
bool is_raw(int fd) { return (mode_of(fd).c_lflag & (ICANON | ECHO | ISIG)) == 0; }
bool same(const termios& a, const termios& b) {
  return a.c_iflag == b.c_iflag && a.c_oflag == b.c_oflag && a.c_cflag == b.c_cflag &&
         a.c_lflag == b.c_lflag && std::equal(std::begin(a.c_cc), std::end(a.c_cc), std::begin(b.c_cc));
}
void make_raw(int fd) {
  termios mode = mode_of(fd);
  cfmakeraw(&mode);
  ASSERT_EQ(tcsetattr(fd, TCSANOW, &mode), 0);
}

void put(int fd, const std::string& text) {
  ASSERT_EQ(write(fd, text.data(), text.size()), ssize_t(text.size()));
}

// What can be read right now.
std::string take(int fd, size_t limit = 1 << 20) {
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
bool pump(Terminal& terminal, const std::function<bool()>& done, int limit_ms = 3000) {
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
void pump_for(Terminal& terminal, int ms) {
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
    return Terminal::start(UniqueFd(dup(inner.master.get())), pty_fds, &saved, fds);
  }
  Result<Terminal> start() { return start(7, caller(), caller(), caller()); }
  // The only master left is the Terminal's, so that closing it hangs the pair up.
  Result<Terminal> start_alone(unsigned pty_fds, int in, int out, int err) {
    int fds[3] = {in, out, err};
    return Terminal::start(std::move(inner.master), pty_fds, &saved, fds);
  }
  bool restored() { return same(before, mode_of(caller())); }
};

TEST(Terminal, RefusesWhatIsNoTerminal) {
  Pipe pipe;
  SavedTerminal saved;
  auto terminal = Terminal::start(std::move(pipe.read), 7, &saved);
  ASSERT_FALSE(terminal);
  EXPECT_EQ(terminal.error().sys_errno, ENOTTY);
}

TEST(Terminal, CallerBecomesRawAndTheProgramGetsItsModesAndSize) {
  Desk s;
  termios wanted = s.before;
  wanted.c_cc[VERASE] = 8;
  wanted.c_iflag |= IUTF8;
  ASSERT_EQ(tcsetattr(s.caller(), TCSANOW, &wanted), 0);
  s.before = mode_of(s.caller());
  winsize size{50, 132, 0, 0};
  ioctl(s.caller(), TIOCSWINSZ, &size);
  auto terminal = s.start();
  ASSERT_TRUE(terminal);
  EXPECT_TRUE(is_raw(s.caller()));
  EXPECT_EQ(mode_of(s.caller()).c_oflag & OPOST, 0u);
  EXPECT_TRUE(same(mode_of(s.program()), s.before));
  winsize seen{};
  ioctl(s.program(), TIOCGWINSZ, &seen);
  EXPECT_EQ(seen.ws_row, 50);
  EXPECT_EQ(seen.ws_col, 132);
  terminal->finish();
  EXPECT_TRUE(s.restored());
}

TEST(Terminal, EveryByteGoesBothWaysUnchanged) {
  Desk s;
  auto terminal = s.start();
  make_raw(s.program());
  std::string all;
  for (int round = 0; round < 8; round++)
    for (int c = 0; c < 256; c++) all += static_cast<char>(c);
  std::string seen;
  put(s.user(), all);
  EXPECT_TRUE(pump(*terminal, [&] { return (seen += take(s.program())).size() >= all.size(); }));
  EXPECT_TRUE(seen == all) << seen.size() << " of " << all.size();
  seen.clear();
  put(s.program(), all);
  EXPECT_TRUE(pump(*terminal, [&] { return (seen += take(s.user())).size() >= all.size(); }));
  EXPECT_TRUE(seen == all) << seen.size() << " of " << all.size();
}

TEST(Terminal, ControlCIsASignalForTheProgramOnly) {
  Desk s;
  pid_t pid = fork();
  if (pid == 0) {
    setsid();
    ioctl(s.program(), TIOCSCTTY, 0);
    s.inner.master.reset();
    put(s.program(), "ready");
    pause();
    _exit(0);
  }
  auto terminal = s.start();
  std::string seen;
  ASSERT_TRUE(pump(*terminal, [&] { return (seen += take(s.user())).find("ready") != std::string::npos; }));
  put(s.user(), "\x03");
  int status = 0;
  ASSERT_TRUE(pump(*terminal, [&] { return waitpid(pid, &status, WNOHANG) == pid; }));
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
  EXPECT_TRUE(is_raw(s.caller()));
}

TEST(Terminal, CallersDescriptorStaysBlocking) {
  Desk s;
  auto terminal = s.start();
  EXPECT_EQ(fcntl(s.caller(), F_GETFL) & O_NONBLOCK, 0);
  terminal->finish();
  EXPECT_EQ(fcntl(s.caller(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(Terminal, ReaderThatStopsMakesTheProgramWaitAndNothingIsLost) {
  Desk s;
  auto terminal = s.start();
  make_raw(s.program());
  fcntl(s.program(), F_SETFL, O_RDWR | O_NONBLOCK);
  std::string sent, seen;
  // Nobody reads at the user's side: what the program can write before it has to wait is bounded.
  auto write_more = [&] {
    char block[1000];
    for (size_t i = 0; i < sizeof block; i++) block[i] = static_cast<char>((sent.size() + i) % 251);
    ssize_t n = write(s.program(), block, sizeof block);
    if (n > 0) sent.append(block, size_t(n));
    return n > 0;
  };
  auto began = Clock::now();
  int stalled = 0;
  while (stalled < 50 && sent.size() < (4u << 20)) {
    stalled = write_more() ? 0 : stalled + 1;
    pump_for(*terminal, 0);
    pollfd fds[Terminal::kPollFds];
    size_t n = terminal->poll_set(fds);
    poll(fds, n, 1);
    terminal->handle(std::span(fds, n));
  }
  EXPECT_LT(sent.size(), 400u << 10);
  EXPECT_GT(sent.size(), 16u << 10);
  EXPECT_LT(Clock::now() - began, std::chrono::seconds(5));
  EXPECT_TRUE(pump(*terminal, [&] { return (seen += take(s.user())).size() >= sent.size(); }));
  EXPECT_TRUE(seen == sent) << seen.size() << " of " << sent.size();
}

TEST(Terminal, ProgramThatDoesNotReadDoesNotFillOurMemory) {
  Desk s;
  auto terminal = s.start();
  make_raw(s.program());
  fcntl(s.user(), F_SETFL, O_RDWR | O_NONBLOCK);
  std::string block(512, 'x');
  size_t sent = 0;
  for (int stalled = 0; stalled < 20 && sent < (4u << 20);) {
    ssize_t n = write(s.user(), block.data(), block.size());
    stalled = n > 0 ? 0 : stalled + 1;
    if (n > 0) sent += size_t(n);
    pump_for(*terminal, 1);
  }
  EXPECT_LT(sent, 400u << 10);
  size_t seen = 0;
  EXPECT_TRUE(pump(*terminal, [&] { return (seen += take(s.program()).size()) >= sent; }));
}

TEST(Terminal, ResizeReachesTheProgram) {
  Desk s;
  auto terminal = s.start();
  winsize size{10, 40, 0, 0}, seen{};
  ioctl(s.caller(), TIOCSWINSZ, &size);
  terminal->resized();
  ioctl(s.program(), TIOCGWINSZ, &seen);
  EXPECT_EQ(seen.ws_row, 10);
  EXPECT_EQ(seen.ws_col, 40);
}

TEST(Terminal, SuspendGivesTheTerminalBackAndResumeTakesItAgain) {
  Desk s;
  auto terminal = s.start();
  terminal->suspend();
  EXPECT_TRUE(s.restored());
  pollfd fds[Terminal::kPollFds];
  EXPECT_EQ(terminal->poll_set(fds), 0u);
  EXPECT_EQ(terminal->timeout_ms(), -1);
  // The caller changes his terminal while we are stopped: that is what he finds again afterwards.
  termios changed = s.before;
  changed.c_cc[VINTR] = 7;
  tcsetattr(s.caller(), TCSANOW, &changed);
  winsize size{33, 99, 0, 0}, seen{};
  ioctl(s.caller(), TIOCSWINSZ, &size);
  terminal->resume();
  EXPECT_TRUE(is_raw(s.caller()));
  ioctl(s.program(), TIOCGWINSZ, &seen);
  EXPECT_EQ(seen.ws_row, 33);
  terminal->finish();
  EXPECT_TRUE(same(changed, mode_of(s.caller())));
}

TEST(Terminal,
     ResumeWithoutSuspendKeepsTheFirstMode) {  // stopped by kill -STOP, the shell left the terminal raw
  Desk s;
  auto terminal = s.start();
  terminal->resume();
  EXPECT_TRUE(is_raw(s.caller()));
  terminal->finish();
  EXPECT_TRUE(s.restored());
}

TEST(Terminal, DestructorRestores) {
  Desk s;
  { auto terminal = s.start(); }
  EXPECT_TRUE(s.restored());
  EXPECT_EQ(s.saved.armed, 0u);
}

TEST(Terminal, WhoOutlivesAKillRestores) {
  Desk s;
  void* shared = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto* saved = new (shared) SavedTerminal;
  pid_t pid = fork();
  if (pid == 0) {
    int fds[3] = {s.caller(), s.caller(), s.caller()};
    auto terminal = Terminal::start(UniqueFd(dup(s.inner.master.get())), 7, saved, fds);
    raise(SIGKILL);
  }
  waitpid(pid, nullptr, 0);
  EXPECT_TRUE(is_raw(s.caller()));
  restore_now(saved);
  EXPECT_TRUE(s.restored());
  munmap(shared, 4096);
}

TEST(Terminal, RestoreLeavesASuccessorsModeAlone) {
  Desk s;
  auto terminal = s.start();
  SavedTerminal copy = s.saved;
  termios shells = s.before;
  shells.c_lflag &= ~tcflag_t(ICANON);
  shells.c_cc[VMIN] = 1;
  tcsetattr(s.caller(), TCSANOW, &shells);
  restore_now(&copy);
  EXPECT_TRUE(same(shells, mode_of(s.caller())));
  restore_now(nullptr);
  SavedTerminal never;
  restore_now(&never);
}

TEST(Terminal, LastOutputIsShownBeforeTheTerminalIsGivenBack) {
  Desk s;
  auto terminal = s.start_alone(7, s.caller(), s.caller(), s.caller());
  make_raw(s.program());
  // The user does not look: his terminal, our queue and the pair are full when the program ends.
  fcntl(s.program(), F_SETFL, O_RDWR | O_NONBLOCK);
  std::string text;
  for (int stalled = 0; stalled < 20;) {
    std::string block = num(text.size()) + ";";
    ssize_t n = write(s.program(), block.data(), block.size());
    if (n > 0) {
      text.append(block, 0, size_t(n));
      stalled = 0;
      continue;
    }
    stalled++;
    pump_for(*terminal, 1);
  }
  EXPECT_GT(text.size(), 30000u);
  s.inner.slave.reset();
  pid_t pid = fork();
  if (pid == 0) {
    terminal->finish();
    _exit(0);
  }
  terminal->suspend();
  std::string seen;
  auto end = Clock::now() + std::chrono::seconds(3);
  while (seen.size() < text.size() && Clock::now() < end) {
    usleep(1000);
    seen += take(s.user(), 4096);
  }
  EXPECT_TRUE(seen == text) << seen.size() << " of " << text.size();
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(Terminal, FinishDoesNotWaitForAStoppedReaderForEver) {
  Desk s;
  auto terminal = s.start();
  make_raw(s.program());
  fcntl(s.program(), F_SETFL, O_RDWR | O_NONBLOCK);
  std::string block(4096, 'z');
  for (int i = 0; i < 100; i++) {
    [[maybe_unused]] ssize_t n = write(s.program(), block.data(), block.size());
    pump_for(*terminal, 1);
  }
  auto began = Clock::now();
  terminal->finish();
  EXPECT_LT(Clock::now() - began, std::chrono::milliseconds(2600));
  EXPECT_TRUE(s.restored());
}

TEST(Terminal, ClosedTerminalHangsTheProgramUp) {
  Desk s;
  auto terminal = s.start_alone(7, s.caller(), s.caller(), s.caller());
  s.outer.master.reset();
  EXPECT_TRUE(pump(*terminal, [&] { return terminal->hung_up(); }));
  char c;
  EXPECT_EQ(read(s.program(), &c, 1), 0);
  pollfd fds[Terminal::kPollFds];
  EXPECT_EQ(terminal->poll_set(fds), 0u);
}

TEST(Terminal, ProgramWithoutOpenTerminalIsNoBusyLoop) {
  Desk s;
  auto terminal = s.start_alone(7, s.caller(), s.caller(), s.caller());
  s.inner.slave.reset();
  int turns = 0;
  pump(
      *terminal, [&] { return turns++ > 1000; }, 300);
  EXPECT_LT(turns, 60);
  EXPECT_FALSE(terminal->hung_up());
}

TEST(Terminal, EndOfInputThatIsNoTerminalIsControlD) {  // --tty with redirected descriptors
  Desk s;
  Pipe in, out;
  auto terminal = s.start(7, in.read.get(), out.write.get(), out.write.get());
  EXPECT_EQ(s.saved.armed, 0u);
  termios mode = mode_of(s.program());
  mode.c_lflag &= ~tcflag_t(ECHO);
  tcsetattr(s.program(), TCSANOW, &mode);
  put(in.write.get(), "one\nhalf");
  in.write.reset();
  std::string seen;
  fcntl(s.program(), F_SETFL, O_RDWR | O_NONBLOCK);
  EXPECT_TRUE(pump(*terminal, [&] {
    char block[64];
    ssize_t n = read(s.program(), block, sizeof block);
    if (n > 0) seen.append(block, size_t(n));
    return n == 0;
  }));
  EXPECT_EQ(seen, "one\nhalf");
  put(s.program(), "back\n");
  seen.clear();
  EXPECT_TRUE(pump(*terminal, [&] { return (seen += take(out.read.get())).size() >= 6; }));
  EXPECT_EQ(seen, "back\r\n");
  pollfd fds[Terminal::kPollFds];
  size_t n = terminal->poll_set(fds);
  EXPECT_EQ(poll(fds, n, 50), 0) << "a closed input must not wake the loop again and again";
}

TEST(Terminal, BrokenOutputPipeHangsTheProgramUp) {
  signal(SIGPIPE, SIG_IGN);
  Desk s;
  Pipe out;
  auto terminal = s.start_alone(6, -1, out.write.get(), out.write.get());
  out.read.reset();
  put(s.program(), "x");
  EXPECT_TRUE(pump(*terminal, [&] { return terminal->hung_up(); }));
}

// ---- keyboards that others share
// --------------------------------------------------------------------------------
TEST(TerminalShared, PipelineLeavesTheTerminalAloneUntilTheProgramDraws) {
  Desk s;
  Pipe out;
  auto terminal = s.start(5, s.caller(), out.write.get(), s.caller());
  EXPECT_TRUE(s.restored());
  pump_for(*terminal, 50);
  EXPECT_TRUE(s.restored());
  // The program turns echo off and asks: now keys are its.
  termios quiet = mode_of(s.program());
  quiet.c_lflag &= ~tcflag_t(ECHO);
  tcsetattr(s.program(), TCSANOW, &quiet);
  put(s.program(), "Password: ");
  EXPECT_TRUE(pump(*terminal, [&] { return is_raw(s.caller()); }));
  EXPECT_NE(mode_of(s.caller()).c_oflag & OPOST, 0u) << "others of the pipeline still write lines";
  put(s.user(), "secret\r");
  std::string seen;
  EXPECT_TRUE(pump(*terminal, [&] { return (seen += take(s.program())).size() >= 7; }));
  EXPECT_EQ(seen, "secret\n");
  quiet.c_lflag |= ECHO;
  tcsetattr(s.program(), TCSANOW, &quiet);
  EXPECT_TRUE(pump(*terminal, [&] { return s.restored(); }));
}

TEST(TerminalShared, DrawingProgramHasTheOutputUnprocessed) {
  Desk s;
  Pipe out;
  auto terminal = s.start(5, s.caller(), out.write.get(), s.caller());
  make_raw(s.program());
  put(s.program(), "\n");
  EXPECT_TRUE(pump(*terminal, [&] { return is_raw(s.caller()); }));
  EXPECT_TRUE(pump(*terminal, [&] { return (mode_of(s.caller()).c_oflag & OPOST) == 0; }));
  terminal->finish();
  EXPECT_TRUE(s.restored());
}

TEST(TerminalShared, TypedLineThatNobodyElseTakesIsOursAndEchoedOnce) {
  Desk s;
  Pipe out;
  auto terminal = s.start(5, s.caller(), out.write.get(), s.caller());
  put(s.user(), "pear\n");
  std::string seen, shown;
  EXPECT_TRUE(pump(*terminal, [&] {
    shown += take(s.user());
    return (seen += take(s.program())).size() >= 5;
  }));
  EXPECT_EQ(seen, "pear\n");
  pump_for(*terminal, 100);
  shown += take(s.user());
  EXPECT_EQ(shown, "pear\r\n");
  EXPECT_TRUE(is_raw(s.caller()));
  put(s.user(), "fig\r\x04");
  seen.clear();
  EXPECT_TRUE(pump(*terminal, [&] { return (seen += take(s.program())).size() >= 4; }));
  EXPECT_EQ(seen, "fig\n");
}

TEST(TerminalShared, PagerAtTheEndOfThePipelineKeepsItsKeys) {
  Desk s;
  Pipe out;
  auto terminal = s.start(5, s.caller(), out.write.get(), s.caller());
  make_raw(s.caller());  // less, outside, reads the same terminal
  put(s.user(), "q");
  pump_for(*terminal, 600);
  EXPECT_EQ(take(s.program()), "");
  EXPECT_EQ(take(s.caller()), "q");
}

TEST(TerminalShared, RedirectedOutputIsNoPipelineSoKeysAreOurs) {
  Desk s;
  UniqueFd file(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  auto terminal = s.start(5, s.caller(), file.get(), s.caller());
  EXPECT_TRUE(is_raw(s.caller()));
}

TEST(TerminalShared, InputFromAPipeGivesKeysOnlyToAProgramThatDraws) {
  Desk s;
  Pipe in;
  auto terminal = s.start(6, in.read.get(), s.caller(), s.caller());
  EXPECT_TRUE(s.restored());
  put(s.program(), "plain\n");
  std::string shown;
  EXPECT_TRUE(pump(*terminal, [&] { return (shown += take(s.user())).find("plain") != std::string::npos; }));
  EXPECT_TRUE(s.restored());
  put(s.user(), "ls\n");  // typed ahead for the shell
  pump_for(*terminal, 300);
  EXPECT_EQ(take(s.caller()), "ls\n");
  make_raw(s.program());
  put(s.program(), "\x1b[2J");
  EXPECT_TRUE(pump(*terminal, [&] { return is_raw(s.caller()); }));
  put(s.user(), "j");
  std::string seen;
  EXPECT_TRUE(pump(*terminal, [&] { return (seen += take(s.program())) == "j"; }));
}

// ---- job control
// ------------------------------------------------------------------------------------------------ A shell
// with two jobs on the caller's terminal: this process is the shell of a new session, immure is one job.
// `job` runs in a group of its own that is not in the foreground. Its result is the exit status.
int in_background(Desk& s, const std::function<int(pid_t shell, int go)>& job,
                  const std::function<void(pid_t)>& shell) {
  pid_t leader = fork();
  if (leader == 0) {
    setsid();
    ioctl(s.caller(), TIOCSCTTY, 0);
    signal(SIGTTOU, SIG_IGN);
    int go[2];
    if (pipe(go) != 0) _exit(99);
    pid_t child = fork();
    if (child == 0) {
      setpgid(0, 0);
      signal(SIGTTOU, SIG_DFL);
      _exit(job(getppid(), go[0]));
    }
    setpgid(child, child);
    shell(child);
    [[maybe_unused]] ssize_t n = write(go[1], "x", 1);
    int status = 0;
    waitpid(child, &status, WUNTRACED);
    if (WIFSTOPPED(status)) _exit(98);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 97);
  }
  int status = 0;
  waitpid(leader, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 96;
}

TEST(TerminalJobs, StartInTheBackgroundChangesNothingUntilForeground) {
  Desk s;
  int status = in_background(
      s,
      [&](pid_t, int) {
        auto terminal = s.start();
        if (!terminal || !s.restored()) return 1;
        pump_for(*terminal, 100);
        if (!s.restored()) return 2;
        // Output is shown all the same.
        put(s.program(), "news");
        std::string seen;
        if (!pump(*terminal, [&] { return (seen += take(s.user())) == "news"; })) return 3;
        put(s.user(), "for the shell\n");
        pump_for(*terminal, 100);
        if (!take(s.program()).empty()) return 4;
        return 0;
      },
      [](pid_t) {});
  EXPECT_EQ(status, 0);
}

TEST(TerminalJobs, ComingToTheForegroundIsNoticedWithoutASignal) {
  Desk s;
  int status = in_background(
      s,
      [&](pid_t, int go) {
        auto terminal = s.start();
        if (!s.restored()) return 1;
        char c;
        if (read(go, &c, 1) != 1) return 2;
        if (!pump(*terminal, [&] { return is_raw(s.caller()); })) return 3;
        terminal->finish();
        return s.restored() ? 0 : 4;
      },
      [&](pid_t child) {
        usleep(100000);
        tcsetpgrp(s.caller(), child);
      });
  EXPECT_EQ(status, 0);
}

TEST(TerminalJobs, RestoreWorksFromTheBackground) {
  Desk s;
  int status = in_background(
      s,
      [&](pid_t shell, int go) {
        char c;
        if (read(go, &c, 1) != 1) return 1;
        auto terminal = s.start();
        if (!is_raw(s.caller())) return 2;
        signal(SIGTTOU, SIG_IGN);
        tcsetpgrp(s.caller(), getpgid(shell));
        signal(SIGTTOU, SIG_DFL);
        terminal->finish();
        return s.restored() ? 0 : 3;
      },
      [&](pid_t child) { tcsetpgrp(s.caller(), child); });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace immure::run
