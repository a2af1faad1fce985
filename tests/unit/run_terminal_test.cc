// The caller's terminal and the program's are both pseudo terminals here; the test plays the person at the
// first and the program at the second. (S132, U51)
#include "support/terminal_desk.h"

namespace immure::run {
namespace {

using namespace desk;

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

TEST(Terminal, LateStartDressesAnUntouchedPairButNeverAProgramsOwnModes) {
  for (bool touched : {false, true}) {
    Desk s;
    termios wanted = s.before;
    wanted.c_cc[VERASE] = 8;
    ASSERT_EQ(tcsetattr(s.caller(), TCSANOW, &wanted), 0);
    if (touched) make_raw(s.program());  // it was faster
    int fds[3] = {s.caller(), s.caller(), s.caller()};
    auto terminal = Terminal::start(UniqueFd(dup(s.inner.master.get())), 7, &s.saved, fds);
    ASSERT_TRUE(terminal);
    if (touched) {
      EXPECT_TRUE(is_raw(s.program()));
    } else {
      EXPECT_EQ(mode_of(s.program()).c_cc[VERASE], 8);
    }
  }
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

}  // namespace
}  // namespace immure::run
