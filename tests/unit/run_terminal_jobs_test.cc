// Terminals that immure shares with others: pipelines, and jobs of a shell. (S132, U51)
#include "support/terminal_desk.h"

namespace immure::run {
namespace {

using namespace desk;

// ---- keyboards that others share ----------------------------------------------------------------
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

TEST(TerminalShared, LinesTypedAheadKeepTheirEnds) {
  Desk s;
  put(s.user(), "pear\nfig\n\x04");  // before immure was ready; the last is Ctrl-D
  usleep(20000);
  std::string shown = take(s.user());
  auto terminal = s.start();
  EXPECT_TRUE(is_raw(s.caller()));
  fcntl(s.program(), F_SETFL, O_RDWR | O_NONBLOCK);
  std::string seen;
  EXPECT_TRUE(pump(*terminal, [&] {
    char block[64];
    ssize_t n = read(s.program(), block, sizeof block);
    if (n > 0) seen.append(block, size_t(n));
    return n == 0;
  }));
  EXPECT_EQ(seen, "pear\nfig\n");
  pump_for(*terminal, 50);
  EXPECT_EQ(shown + take(s.user()), "pear\r\nfig\r\n") << "shown once";
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

// ---- job control --------------------------------------------------------------------------------
// A shell
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

TEST(TerminalJobs, BackgroundStartDoesNotTakeOverTheShellsEditingMode) {
  Desk s;
  termios editing = s.before;  // as a shell at its prompt has it
  editing.c_lflag &= ~tcflag_t(ICANON | ECHO);
  editing.c_iflag &= ~tcflag_t(ICRNL);
  editing.c_cc[VERASE] = 8;
  ASSERT_EQ(tcsetattr(s.caller(), TCSANOW, &editing), 0);
  int status = in_background(
      s,
      [&](pid_t, int) {
        auto terminal = s.start();
        termios inner = mode_of(s.program());
        bool plain =
            (inner.c_lflag & ICANON) != 0 && (inner.c_lflag & ECHO) != 0 && (inner.c_iflag & ICRNL) != 0;
        return plain && inner.c_cc[VERASE] == 8 && inner.c_cc[VMIN] == 1 ? 0 : 1;
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

TEST(TerminalJobs, WholeGroupStopsAndGoesOn) {
  Desk s;
  pid_t leader = fork();
  if (leader == 0) {
    setsid();
    pid_t job = fork();
    if (job == 0) {
      setpgid(0, 0);
      pid_t partner = fork();  // the rest of the pipeline
      if (partner == 0) {
        pause();
        _exit(0);
      }
      sigset_t blocked;
      sigemptyset(&blocked);
      sigaddset(&blocked, SIGTSTP);
      sigprocmask(SIG_BLOCK, &blocked, nullptr);
      stop_own_group();
      sigset_t now, pending;
      sigprocmask(SIG_SETMASK, nullptr, &now);
      sigpending(&pending);
      bool as_before = sigismember(&now, SIGTSTP) == 1 && sigismember(&pending, SIGTSTP) == 0;
      int status = 0;
      bool both = waitpid(partner, &status, WUNTRACED | WCONTINUED | WNOHANG) == partner;
      kill(partner, SIGKILL);
      _exit(!as_before ? 2 : both ? 0 : 3);
    }
    int status = 0;
    if (waitpid(job, &status, WUNTRACED) != job || !WIFSTOPPED(status)) _exit(10);
    usleep(50000);  // until the partner has stopped as well
    kill(-job, SIGCONT);
    waitpid(job, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 11);
  }
  int status = 0;
  waitpid(leader, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(TerminalJobs, WhereNobodyWouldContinueItNothingStops) {
  pid_t leader = fork();
  if (leader == 0) {
    setsid();  // a process group without a parent in its session
    alarm(5);
    stop_own_group();
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(leader, &status, WUNTRACED), leader);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  if (WIFSTOPPED(status)) kill(leader, SIGKILL);
}

}  // namespace
}  // namespace immure::run
