#include "prove/launcher.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "base/file.h"
#include "base/text.h"
#include "prove/minder.h"
#include "prove/own_root.h"

namespace immure::prove {
namespace {

constexpr int kMinderGrace = 8000;  // milliseconds, more than it takes for all of its own
constexpr size_t kMostOutput = 1U << 20;
constexpr off_t kMostErrors = 4 << 20;
constexpr unsigned kExecutable = 0x10;  // MFD_EXEC

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, strerror(errno));
  _exit(125);
}

// What a program could be that was given everything but the host; `whole`: in namespaces of every kind.
void become_own_root(bool whole) {
  constexpr int kOthers = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  if (const char* refused = become_root(geteuid() != 0, whole ? kOthers : 0)) give_up(refused);
}

// The new pid namespace begins with a child; its status is passed on.
void go_on_in_a_child() {
  pid_t child = fork();
  if (child < 0) give_up("fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return;
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

void go_to(const Site& site) {
  switch (site.place) {
    case Place::Here: return;
    case Place::Namespaced:
      become_own_root(true);
      go_on_in_a_child();
      if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
        give_up("mounting /proc");
      return;
    case Place::Chroot:
      become_own_root(false);
      if (mount("/proc", (site.root + "/proc").c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
        give_up("binding /proc");
      if (chroot(site.root.c_str()) != 0 || chdir("/") != 0) give_up("chroot");
      return;
    case Place::Process:
      site.like->enter();
      go_on_in_a_child();
      site.like->finish();
      return;
  }
}

// In memory, where nobody writes to it any more.
UniqueFd sealed_copy(const std::string& path) {
  auto program = read_file(path, 64U << 20);
  // A kernel before 6.3 does not know the flag, and all its files in memory can be started.
  int fd = memfd_create("immure-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING | kExecutable);
  if (fd < 0) fd = memfd_create("immure-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  UniqueFd copy(fd);
  constexpr int kSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
  if (!program || !copy || !write_fd(copy.get(), *program, "a copy of the program") ||
      fchmod(copy.get(), 0555) != 0 || fcntl(copy.get(), F_ADD_SEALS, kSeals) != 0)
    give_up("copying the program");
  return copy;
}

// Signals as a shell would leave them: the handlers are the battery's own.
void obey_signals() {
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) signal(number, SIG_DFL);
}

[[noreturn]] void run_it(const Yard& yard, const Terminal& terminal, const Site& site,
                         std::vector<std::string> arguments) {
  std::vector<char*> words;
  // Who becomes the launcher is known only here.
  const std::string launcher = "launcher=" + num_signed(getpid());
  if (site.place != Place::Process)
    arguments.insert(arguments.begin(), terminal.facts.begin(), terminal.facts.end());
  for (const std::string& word : site.launcher) words.push_back(const_cast<char*>(word.c_str()));
  if (!site.program.empty()) words.push_back(const_cast<char*>(site.program.c_str()));
  for (const std::string& word : arguments)
    words.push_back(const_cast<char*>((word == kLauncherFact ? launcher : word).c_str()));
  words.push_back(nullptr);
  obey_signals();
  if (site.place == Place::Process) {
    // Who lives there may be hostile, and the way in begins as who we are: nobody traces it, no descriptor of
    // ours comes along, and the file that runs is a copy, so that nobody can write to the program by
    // /proc/PID/exe. Its environment is not ours to show, either.
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) != 0) give_up("closing descriptors");
    UniqueFd program = sealed_copy(site.program);
    char* environment[] = {nullptr};
    setsid();
    go_to(site);
    syscall(SYS_execveat, program.get(), "", words.data(), environment, AT_EMPTY_PATH);
  } else {
    yard.be_careless(terminal);
    go_to(site);
    execvp(words[0], words.data());
  }
  std::fprintf(stderr, "%s: %s\n", words[0], strerror(errno));
  _exit(errno == ENOENT ? 127 : 126);
}

}  // namespace

int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

Launch::Launch(const Yard& yard, const Site& site, const std::vector<std::string>& arguments, int patience_ms)
    : deadline_(now_ms() + patience_ms) {
  int ends[2];
  // Messages into a file in memory: however much comes, nobody waits for a reader.
  err_.reset(memfd_create("immure-prove-errors", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  // Nor does the host pay for however much comes.
  if (err_ && (ftruncate(err_.get(), kMostErrors) != 0 ||
               fcntl(err_.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0))
    err_.reset();
  if (!err_ || pipe2(ends, O_CLOEXEC) != 0) {
    errors = "no descriptor is left";
    status = 125;
    return;
  }
  out_.reset(ends[0]);
  UniqueFd theirs(ends[1]);
  fcntl(out_.get(), F_SETFL, O_NONBLOCK);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    go_on_minded(parent);
    int nothing = open(site.expendable ? "/proc/cmdline" : "/dev/null", O_RDONLY | O_CLOEXEC);
    if (dup2(nothing, 0) < 0 || dup2(theirs.get(), 1) < 0 || dup2(err_.get(), 2) < 0) _exit(125);
    run_it(yard, terminal_, site, arguments);
  }
  if (pid_ > 0) end_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  if (pid_ < 0) {
    out_.reset();
    errors = std::string("no process can be started: ") + strerror(errno);
    status = 125;
  }
}

Launch::~Launch() { stop(); }

void Launch::drain() {
  char buffer[8192];
  // More than a pipe holds, and then others are heard: who never stops must not hold the battery.
  for (int i = 0; i < 256 && out_; ++i) {
    ssize_t n = read(out_.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) out_.reset();
    if (n > 0 && output.size() < kMostOutput) output.append(buffer, static_cast<size_t>(n));
  }
}

// Its end is the process's, not the pipe's: what a probe left behind may hold that for long.
bool Launch::hear() {
  drain();
  if (pid_ <= 0) return true;
  siginfo_t info{};
  if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0)
    return false;
  finish();
  return true;
}

void Launch::tell_to_end() const {
  if (pid_ > 0) kill(pid_, SIGTERM);
}

void Launch::stop() {
  if (pid_ <= 0) return;
  timed_out = true;
  tell_to_end();
  pollfd end{end_.get(), POLLIN, 0};
  const int64_t until = now_ms() + kMinderGrace;
  while (poll(&end, 1, static_cast<int>(std::max<int64_t>(0, until - now_ms()))) < 0 && errno == EINTR)
    continue;
  kill(pid_, SIGKILL);
  finish();
}

// It has ended, or was told to.
void Launch::finish() {
  int ended = 0;
  while (waitpid(pid_, &ended, 0) < 0 && errno == EINTR) continue;
  pid_ = -1;
  drain();
  out_.reset();
  end_.reset();
  status = WIFSIGNALED(ended) ? 128 + WTERMSIG(ended) : WEXITSTATUS(ended);
  // What was written ends where the next would begin.
  errors.resize(static_cast<size_t>(std::clamp<off_t>(lseek(err_.get(), 0, SEEK_CUR), 0, kMostErrors)));
  const ssize_t n = pread(err_.get(), errors.data(), errors.size(), 0);
  errors.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
  err_.reset();
}

int end_orphans(const std::vector<pid_t>& keep, const std::vector<pid_t>& running) {
  int ended = 0;
  for (pid_t pid : children_of(getpid())) {
    if (std::find(keep.begin(), keep.end(), pid) != keep.end() ||
        std::find(running.begin(), running.end(), pid) != running.end())
      continue;
    kill(pid, SIGKILL);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) continue;
    ++ended;
  }
  return ended;
}

}  // namespace immure::prove
