// A program that stops itself, for whatever that may be good: neither its caller nor the jail's limits stop with it.
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/jail.h"

namespace immure::test {
namespace {

constexpr int kStopped = 99;

// The program under test becomes a job, as a shell with job control makes one: a process group of its own whose parent
// is in the same session. The parent's status is the job's, or what `when_stopped` says.
template <class WhenStopped>
std::function<void()> as_a_job(WhenStopped when_stopped) {
  return [when_stopped] {
    pid_t job = fork();
    if (job != 0) setpgid(job, job);
    else setpgid(0, 0);
    signal(SIGTTOU, SIG_IGN);
    pid_t group = job != 0 ? job : getpid();
    (void)ioctl(0, TIOCSPGRP, &group);
    signal(SIGTTOU, SIG_DFL);
    if (job == 0) return;
    int status = 0;
    waitpid(job, &status, WUNTRACED);
    if (WIFSTOPPED(status)) {
      int verdict = when_stopped();
      kill(-job, SIGKILL);
      kill(-job, SIGCONT);
      _exit(verdict);
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  };
}

class Stopped : public JailTest {};

TEST_F(Stopped, WithoutATerminalItsCallerGoesOn_S86) {
  Jail jail;
  jail.options({"--wall-time", "600ms"});
  Command command = jail.command({"/bin/sh", "-c", "kill -STOP $$"});
  command.before_exec(as_a_job([] { return kStopped; }));
  Outcome outcome = command.run();
  EXPECT_EQ(outcome.status, 124) << outcome.err;
}

// The control: who is told to stop stops.
TEST_F(Stopped, WithoutATerminalItsCallerStopsWhenTold) {
  Command command = Jail().command({"/bin/sleep", "60"});
  command.before_exec(as_a_job([] { return kStopped; }));
  Running running = command.start();
  // The job is the only child of what was started.
  std::string children = "/proc/" + std::to_string(running.pid()) + "/task/" + std::to_string(running.pid()) + "/children";
  ASSERT_TRUE(eventually([&] { return std::atoi(read_file(children).c_str()) > 0; }));
  usleep(300'000);
  kill(std::atoi(read_file(children).c_str()), SIGTSTP);
  EXPECT_EQ(running.wait().status, kStopped);
}

// On a terminal immure stops with its program, as for Ctrl-Z, but what the program left running keeps its limits.
TEST_F(Stopped, OnATerminalTheLimitsGoOn_S86) {
  TempDir dir;
  const std::string folder = dir.dir("shared", 0777), ticks = dir / "shared/ticks";
  ASSERT_EQ(chmod(folder.c_str(), 0777), 0);
  Jail jail;
  jail.options({"--wall-time", "600ms", "--bind", folder + ":/srv/s"});
  Command command = jail.command(
      {"/bin/sh", "-c", "(while :; do echo x >>/srv/s/ticks; sleep 0.05; done) & sleep 0.2; kill -STOP $$"});
  command.terminal();
  command.before_exec(as_a_job([ticks] {
    auto size = [&] {
      struct stat st {};
      return stat(ticks.c_str(), &st) == 0 ? st.st_size : -1;
    };
    usleep(1'200'000);
    auto then = size();
    usleep(400'000);
    if (then <= 0) return 3;
    return size() == then ? kStopped : 4;
  }));
  Outcome outcome = command.run();
  EXPECT_EQ(outcome.status, kStopped) << "3: it never ran, 4: it still runs\n" << outcome.out;
}

}  // namespace
}  // namespace immure::test
