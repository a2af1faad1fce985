#include "prove/minder.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "prove/launcher.h"

namespace immure::prove {
namespace {

constexpr int kStep = 10;
constexpr int kAnswer = 1500;    // milliseconds for whom is asked to end
constexpr int kPeace = 200;      // in which what is about to end does so by itself
constexpr int kGrace = 3000;     // and who has something to put away: a container's engine takes its time
constexpr int kPatience = 5000;  // until that is given up which no signal ends
constexpr int kFailed = 125;
constexpr int kMostDeep = 32;

std::string in_proc(pid_t pid, const char* name) { return "/proc/" + num_signed(pid) + "/" + name; }

// What is left of a jail of immure's whose launcher was killed puts its groups and files away: the watchdog,
// and the first process.
bool ends_by_itself(pid_t pid) {
  auto name = read_file(in_proc(pid, "comm"), 64);
  return name && (name->starts_with("immure-watch") || name->starts_with("immure-init"));
}

pid_t parent_of(pid_t pid) {
  auto text = read_file(in_proc(pid, "stat"), 4096);
  const size_t behind_name = text ? text->rfind(')') : std::string::npos;
  if (behind_name == std::string::npos) return -1;
  const auto words = split(std::string_view(*text).substr(behind_name + 1), ' ');
  auto parent = words.size() > 2 ? parse_u64(words[2]) : std::nullopt;
  return parent ? static_cast<pid_t>(*parent) : -1;
}

// A number may be another's by now: by the descriptor it is asked once more whose child it is.
void end(pid_t pid, pid_t parent) {
  UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (process && parent_of(pid) == parent)
    (void)syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
}

// All below the children of `top`: those wait for them, and put away what is theirs.
void end_grandchildren(pid_t top, int depth = 0) {
  for (pid_t pid : children_of(top)) {
    if (depth < kMostDeep) end_grandchildren(pid, depth + 1);
    if (depth > 0 && !ends_by_itself(pid)) end(pid, top);
  }
}

class Minder {
 public:
  Minder(pid_t battery, UniqueFd battery_end, UniqueFd signals)
      : battery_(battery), battery_end_(std::move(battery_end)), signals_(std::move(signals)) {}

  [[noreturn]] void mind(pid_t launcher) {
    launcher_ = launcher;
    bool told = false;
    while (!told && reap() && !ended_) told = hear(-1);
    // First it is asked: an engine that is killed leaves its container to nobody.
    if (!ended_) kill(launcher_, SIGTERM);
    for (const int64_t asked = now_ms(); reap() && !ended_ && now_ms() - asked < kAnswer;) (void)hear(kStep);
    if (!ended_) end(launcher_, getpid());
    if (told) end_grandchildren(getpid());
    // Told to end, who has lost what it held is waited for; else only who is known to end by itself.
    const int64_t begin = now_ms();
    for (int64_t spent = 0; reap() && spent < kPatience; spent = now_ms() - begin) {
      if (spent > (told ? kGrace : kPeace))
        for (pid_t pid : children_of(getpid()))
          if (spent > kGrace || !ends_by_itself(pid)) end(pid, getpid());
      (void)hear(kStep);
    }
    _exit(status_);
  }

 private:
  // False: nobody is left.
  bool reap() {
    for (;;) {
      int ended = 0;
      const pid_t pid = waitpid(-1, &ended, WNOHANG);
      if (pid < 0 && errno == EINTR) continue;
      if (pid <= 0) return pid == 0;
      if (pid != launcher_) continue;
      status_ = WIFSIGNALED(ended) ? 128 + WTERMSIG(ended) : WEXITSTATUS(ended);
      ended_ = true;
    }
  }

  // Waits for whatever happens. True: it is time to end.
  bool hear(int milliseconds) {
    pollfd fds[] = {{signals_.get(), POLLIN, 0}, {battery_end_.get(), POLLIN, 0}};
    (void)poll(fds, std::size(fds), milliseconds);
    bool told = fds[1].revents != 0;
    if (told) battery_end_.reset();  // it would be told for ever
    signalfd_siginfo info{};
    while (read(signals_.get(), &info, sizeof info) == sizeof info)
      told = told || (info.ssi_signo == SIGTERM && info.ssi_pid == static_cast<uint32_t>(battery_));
    return told;
  }

  pid_t battery_, launcher_ = -1;
  UniqueFd battery_end_, signals_;
  bool ended_ = false;
  int status_ = kFailed;
};

}  // namespace

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> pids;
  const std::string tasks = in_proc(pid, "task");
  std::error_code ignored;
  for (const auto& thread : std::filesystem::directory_iterator(tasks, ignored)) {
    auto children = read_file(thread.path().string() + "/children", 1U << 20);
    if (!children) continue;
    for (std::string_view word : split(trim(*children), ' '))
      if (auto number = parse_u64(word)) pids.push_back(static_cast<pid_t>(*number));
  }
  return pids;
}

void go_on_minded(pid_t battery) {
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  prctl(PR_SET_NAME, "immure-minder");
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  UniqueFd battery_end(static_cast<int>(syscall(SYS_pidfd_open, battery, 0)));
  UniqueFd signals(signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK));
  // Who is nobody's child any more has missed the battery's end.
  if (!battery_end || !signals || getppid() != battery) _exit(kFailed);
  const pid_t minder = getpid();
  const pid_t launcher = fork();
  if (launcher < 0) _exit(kFailed);
  if (launcher == 0) {
    sigprocmask(SIG_SETMASK, &before, nullptr);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != minder) _exit(kFailed);
    return;
  }
  // The canaries' descriptors are the battery's.
  unsigned from = 0;
  for (int fd : {std::min(battery_end.get(), signals.get()), std::max(battery_end.get(), signals.get())}) {
    const auto kept = static_cast<unsigned>(fd);
    if (kept > from) (void)syscall(SYS_close_range, from, kept - 1, 0);
    from = kept + 1;
  }
  (void)syscall(SYS_close_range, from, ~0U, 0);
  Minder(battery, std::move(battery_end), std::move(signals)).mind(launcher);
}

}  // namespace immure::prove
