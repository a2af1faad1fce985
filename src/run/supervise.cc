#include "run/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "kernel/sys.h"
#include "run/pipe_sum.h"
#include "run/sampler.h"
#include "run/socket_sum.h"
#include "run/verify.h"
#include "uapi/kernel.h"

namespace immure::run {
namespace {

using child::Kind;
using child::Message;

constexpr int kWatchedSignals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP,
                                   SIGCHLD, SIGPIPE, SIGTTOU, SIGTTIN};
constexpr size_t kPollFds = 6;
constexpr uint64_t kSampleEvery = 25'000'000, kNever = ~uint64_t{0};
constexpr uint64_t kSameSignal = 200'000'000;

alignas(64) char deputy_stack[32 * 1024];

class Loop {
 public:
  Loop(const Plan& plan, Launched& jail, int signals, Terminal* terminal, Denied* denied, const SuperviseOptions& options)
      : plan_(plan), jail_(jail), signals_(signals), terminal_(terminal), denied_(denied), options_(options), begun_(now_ns()) {
    alive_at_ = begun_ + options_.alive_after_ns;
    if (plan_.wall_limit_ns != 0) wall_deadline_ = begun_ + plan_.wall_limit_ns;
    sampling_ = plan_.counts_processes() || plan_.cpu_time_limit_ns != 0;
    watched_ = options_.watcher != nullptr;
  }
  Result<Outcome> run();

 private:
  int timeout() const;
  void on_signals();
  void on_signal(int number);
  void on_wire();
  void on_watcher();
  void on_asker();
  void on_time();
  bool has_limits() const { return sampling_ || wall_deadline_ != kNever || kill_deadline_ != kNever; }
  void sample();
  bool is_over_memory(TreeUse& use);
  void look_sooner(uint64_t memory);
  void forward(int number);
  void stopped();
  bool stop_with_deputy();
  static int deputise(void* loop);
  void kill_tree(EndedBy by);

  const Plan& plan_;
  Launched& jail_;
  int signals_;
  Terminal* terminal_;
  Denied* denied_;
  const SuperviseOptions& options_;
  uint64_t begun_, alive_at_ = kNever, wall_deadline_ = kNever, kill_deadline_ = kNever, next_sample_ = 0;
  CpuTally cpu_;
  SocketJudge sockets_;
  uint64_t last_memory_ = 0, last_look_ = 0;
  uint64_t looked_for_ = 0;   // pipes: who opens many of them gets no more than a third of a processor by that
  bool sampling_ = false, blind_ = false, exited_ = false, gone_ = false, told_to_stop_ = false, stops_later_ = false, watched_ = false;
  int interrupts_ = 0;
  uint32_t last_signal_ = 0;
  uint64_t last_signal_at_ = 0;
  Outcome outcome_;
  Status failure_;
};

void Loop::forward(int number) {
  Message message{Kind::Signal, 0, 0, number, 0, 0, 0};
  child::send_message(jail_.wire.get(), message);
}

// pid 1 of the jail dies, and the kernel ends everything else in its pid namespace. Who has entered a jail is not
// pid 1 of it: it is asked to end its program.
void Loop::kill_tree(EndedBy by) {
  if (outcome_.killed_by == EndedBy::Itself) outcome_.killed_by = by;
  if (plan_.enters)
    forward(SIGKILL);
  else
    sys::call(__NR_pidfd_send_signal, jail_.pidfd.get(), SIGKILL, 0, 0);
  wall_deadline_ = kill_deadline_ = kNever;
  sampling_ = false;
}

// Limits go on while the supervisor is stopped: the program may have stopped itself for that, and left others running.
// The deputy shares the memory, so what it decides is decided; nobody else touches it meanwhile.
int Loop::deputise(void* loop) {
  Loop& self = *static_cast<Loop*>(loop);
  sys::call(__NR_setpgid, 0, 0);   // or it would be stopped with the others
  sys::call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  while (self.has_limits()) {
    pollfd jail{self.jail_.pidfd.get(), POLLIN, 0};
    long wait = self.timeout();
    const long pause[2] = {wait / 1000, wait % 1000 * 1'000'000};
    if (sys::call(__NR_ppoll, sys::arg(&jail), 1, sys::arg(pause), 0, 8) != 0) break;
    self.on_time();
  }
  return 0;
}

// False: nobody could stand in.
bool Loop::stop_with_deputy() {
  const uint64_t alive_at = std::exchange(alive_at_, kNever);   // publishing is not the deputy's
  const uint64_t wall_deadline = wall_deadline_, kill_deadline = kill_deadline_;
  const EndedBy before = outcome_.killed_by;
  long deputy = 0;
  if (has_limits()) {
    uapi::CloneArgs args{};
    args.flags = uapi::kCloneVm;
    args.stack = reinterpret_cast<uint64_t>(deputy_stack);
    args.stack_size = sizeof deputy_stack;
    deputy = sys::clone_call(&args, sizeof args, deputise, this);
    if (deputy > 0) sys::call(__NR_setpgid, deputy, deputy);
  }
  if (deputy >= 0) stop_own_group();   // until the shell lets us go on
  if (deputy > 0) {
    sys::call(__NR_kill, deputy, SIGKILL);
    while (sys::call(__NR_wait4, deputy, 0, 0x40000000 /* __WALL */, 0) == -EINTR) {
    }
  }
  alive_at_ = alive_at;
  // It may have been ended between a decision and what follows from it.
  if (outcome_.killed_by == before) {
    wall_deadline_ = wall_deadline;
    kill_deadline_ = kill_deadline;
  } else if (kill_deadline_ == kNever) {
    kill_tree(outcome_.killed_by);
  }
  return deputy >= 0;
}

// With a terminal of its own the program was stopped by a key, as far as can be seen; without one only who was told to
// stop stops: a program that stops itself is not to stop its caller's script.
void Loop::stopped() {
  bool told = std::exchange(told_to_stop_, false);
  if (terminal_ == nullptr && !told) return;
  // The keys are not the program's while a question stands: it has stopped itself, which must not move the terminal.
  stops_later_ = !told && options_.asker != nullptr && options_.asker->asking();
  if (stops_later_) return;
  if (terminal_ != nullptr) terminal_->suspend();
  (void)stop_with_deputy();   // who cannot leave goes on, and so does the program
  if (terminal_ != nullptr) terminal_->resume();
  forward(SIGCONT);
}

void Loop::on_signal(int number) {
  switch (number) {
    case SIGWINCH:
      if (terminal_ != nullptr) terminal_->resized();
      else forward(number);
      return;
    case SIGCHLD: case SIGPIPE: case SIGTTOU: case SIGTTIN: return;
    case SIGCONT:
      if (terminal_ != nullptr) terminal_->resume();
      forward(number);
      return;
    case SIGINT: case SIGTERM:
      if (++interrupts_ > 1 && number == SIGINT) {
        kill_tree(EndedBy::Supervisor);
        return;
      }
      if (plan_.kill_after_ns != 0 && kill_deadline_ == kNever) kill_deadline_ = now_ns() + plan_.kill_after_ns;
      forward(number);
      return;
    case SIGTSTP:
      told_to_stop_ = true;
      forward(number);
      return;
    default: forward(number);
  }
}

void Loop::on_signals() {
  signalfd_siginfo info[8];
  long n = sys::read(signals_, info, sizeof info);
  for (const signalfd_siginfo& one : std::span(info, n > 0 ? static_cast<size_t>(n) / sizeof info[0] : 0)) {
    // Who asks passes on what it gets; of what was sent to the whole group we have heard ourselves.
    const uint64_t now = now_ns();
    const bool passed_on = options_.asker != nullptr && one.ssi_pid == static_cast<uint32_t>(getppid());
    const bool again = passed_on && one.ssi_signo == last_signal_ && now - last_signal_at_ < kSameSignal;
    if (!passed_on) last_signal_ = one.ssi_signo, last_signal_at_ = now;
    if (!again) on_signal(static_cast<int>(one.ssi_signo));
  }
}

void Loop::on_wire() {
  Message message;
  long n = child::receive_message(jail_.wire.get(), message);
  // pid 1 ended with a message of ours unread: the kernel says that first, and then what pid 1 said last.
  if (n == -ECONNRESET) n = child::receive_message(jail_.wire.get(), message);
  if (n == -EAGAIN) return;
  if (n <= 0) {
    gone_ = true;
    return;
  }
  if (message.kind == Kind::Stopped) stopped();
  if (message.kind != Kind::Exited) return;
  exited_ = gone_ = true;   // pid 1 is about to end as well
  outcome_.wait_status = message.value;
  outcome_.user_us = message.utime_us;
  outcome_.system_us = message.stime_us;
  outcome_.max_rss_kb = message.max_rss_kb;
}

// It says nothing while the jail runs, but that it has gone.
void Loop::on_watcher() {
  watched_ = false;
  if (failure_) failure_ = tl::unexpected<Error>(options_.watcher->why_gone());
  kill_tree(EndedBy::Supervisor);
}

// Who is asked has the terminal meanwhile.
void Loop::on_asker() {
  Asker& asker = *options_.asker;
  asker.look();
  const Asker::Heard heard = asker.link() < 0 ? Asker::Heard::Nothing : asker.hear();
  if (asker.wants_to_ask()) {
    if (terminal_ != nullptr) terminal_->catch_up();
    if (terminal_ != nullptr) terminal_->hold(true);
    asker.put();
  }
  if (denied_ != nullptr && !denied_->serve_answered() && failure_)
    failure_ = fail(Code::kSystem, "a system call of the program cannot be answered", "the kernel refuses the answer");
  if (heard == Asker::Heard::Interrupt && terminal_ != nullptr) terminal_->interrupt();
  if (heard == Asker::Heard::Interrupt && terminal_ == nullptr) forward(SIGINT);
  if (heard == Asker::Heard::End && failure_)
    failure_ = fail(Code::kSystem, "the jail was ended", "that was the answer to a question");
  if (heard == Asker::Heard::Gone && failure_)
    failure_ = fail(Code::kSystem, "who was asked has gone, and so the jail was ended",
                    "nobody could have been asked from then on", "immure run runs the program without questions");
  if (!failure_) kill_tree(EndedBy::Supervisor);
  if (terminal_ != nullptr) terminal_->hold(asker.asking());
  if (stops_later_ && !asker.asking()) stopped();
}

// Sockets and pipes are looked at more closely only when there are enough of them to matter.
bool Loop::is_over_memory(TreeUse& use) {
  constexpr uint64_t kMostOfOne = 128 << 20;
  if (plan_.memory_limit == 0) return false;
  SocketUse sockets;
  if (plan_.counts_sockets) {
    int64_t in_use = sockets_in_use(jail_.census.get());
    if (in_use < 0) use.error = static_cast<int>(-in_use);
    if (in_use > 0 && jail_.socket_lists) in_use--;   // that is one itself
    auto count = static_cast<uint64_t>(std::max<int64_t>(in_use, 0));
    if (count != 0 && use.memory + count * kMostOfOne > plan_.memory_limit)
      sockets = sum_sockets(jail_.socket_lists.get(), count);
  }
  PipeUse pipes;
  uint64_t so_far = use.memory + sockets.bytes;
  uint64_t room = plan_.memory_limit - std::min(so_far, plan_.memory_limit);
  uint64_t begun = now_ns();
  if (room != 0 && could_pass_in_pipes(jail_.census.get(), room)) pipes = sum_pipes(jail_.census.get(), room);
  looked_for_ = now_ns() - begun;
  if (pipes.error != 0) use.error = pipes.error;
  bool over = sockets_.is_over(use.memory + pipes.bytes, sockets, plan_.memory_limit, pipes.assumed);
  use.memory = so_far + pipes.bytes;
  if (over && use.memory <= plan_.memory_limit) outcome_.sockets_unseen = sockets.unseen;
  return over;
}

// Who takes so fast that the limit could be passed before the next look is looked at before.
void Loop::look_sooner(uint64_t memory) {
  constexpr uint64_t kSoonest = 2'000'000;
  uint64_t now = now_ns(), since = now - std::exchange(last_look_, now), before = std::exchange(last_memory_, memory);
  if (memory <= before || memory >= plan_.memory_limit || plan_.memory_limit == 0) return;
  uint64_t left = (plan_.memory_limit - memory) >> 12, grown = ((memory - before) >> 12) + 1;
  uint64_t wait = std::min(since, kSampleEvery) * left / grown / 2;
  next_sample_ = std::min(next_sample_, now + std::max(wait, kSoonest));
}

// What cannot be counted is not held to a limit: then the jail ends.
void Loop::sample() {
  TreeUse use;
  bool over_memory = false;
  if (plan_.counts_processes()) {
    use = sum_tree(jail_.census.get());
    // A child that was waited for between its parent's turn and its own is in neither; the next look has it.
    if (cpu_.falls(use.cpu_ns)) use.cpu_ns = std::max(use.cpu_ns, sum_tree(jail_.census.get()).cpu_ns);
    over_memory = plan_.supervisor_sums && is_over_memory(use);
    blind_ = use.error != 0;
  }
  std::optional<uint64_t> cpu = cpu_.add(use.cpu_ns);
  if (plan_.group_counts_cpu) cpu = jail_.groups.cpu_ns();
  blind_ = blind_ || !cpu;
  if (blind_) {
    kill_tree(EndedBy::Supervisor);
    return;
  }
  outcome_.memory_seen = std::max(outcome_.memory_seen, use.memory);
  outcome_.processes_seen = std::max(outcome_.processes_seen, use.tasks);
  bool sums = plan_.supervisor_sums;
  if (over_memory) kill_tree(EndedBy::MemoryLimit);
  if (sums) look_sooner(use.memory);
  if (sums && plan_.pids_limit != 0 && use.tasks > plan_.pids_limit) kill_tree(EndedBy::PidsLimit);
  if (plan_.cpu_time_limit_ns != 0 && *cpu > plan_.cpu_time_limit_ns) kill_tree(EndedBy::CpuTime);
}

// Not at regular times: else a program whose use swings in step with the looks is seen at its least each time,
// by accident or by trial. The clock's last digits are nothing that the program can know.
uint64_t next_wait(uint64_t now) {
  constexpr uint64_t kLeast = kSampleEvery / 2;
  return kLeast + (now * 0x9e3779b97f4a7c15U >> 32) % (kSampleEvery - kLeast);
}

void Loop::on_time() {
  uint64_t now = now_ns();
  if (now >= alive_at_) {
    alive_at_ = kNever;
    // What has failed before stays what is told.
    if (options_.when_alive != nullptr && failure_) failure_ = options_.when_alive(options_.context);
    if (!failure_) kill_tree(EndedBy::Supervisor);
  }
  if (now >= wall_deadline_) {
    wall_deadline_ = kNever;
    if (plan_.kill_after_ns == 0) {
      kill_tree(EndedBy::WallTime);
    } else {
      outcome_.killed_by = EndedBy::WallTime;
      kill_deadline_ = now + plan_.kill_after_ns;
      forward(SIGTERM);
    }
  }
  if (now >= kill_deadline_) kill_tree(EndedBy::Supervisor);
  if (sampling_ && now >= next_sample_) {
    next_sample_ = now + next_wait(now);
    sample();
    next_sample_ = std::max(next_sample_, now_ns() + 2 * std::exchange(looked_for_, 0));
  }
}

// Milliseconds until something is due; -1: nothing is.
int Loop::timeout() const {
  uint64_t due = std::min({wall_deadline_, kill_deadline_, alive_at_});
  if (sampling_) due = std::min(due, next_sample_);
  int wait = -1;
  if (due != kNever) {
    uint64_t now = now_ns();
    wait = due <= now ? 0 : static_cast<int>(std::min<uint64_t>((due - now) / 1'000'000 + 1, 60'000));
  }
  if (options_.asker != nullptr && options_.asker->asking() && (wait < 0 || wait > Asker::kLookAgain)) wait = Asker::kLookAgain;
  int tty = terminal_ != nullptr ? terminal_->timeout_ms() : -1;
  if (tty >= 0 && (wait < 0 || tty < wait)) wait = tty;
  return wait;
}

Result<Outcome> Loop::run() {
  on_time();   // the first look at what is used comes before all that may take long
  jail_.sources.clear();   // the program is past its exec
  while (!gone_) {
    pollfd fds[kPollFds + Terminal::kPollFds];
    fds[0] = {signals_, POLLIN, 0};
    fds[1] = {jail_.wire.get(), POLLIN, 0};
    fds[2] = {jail_.pidfd.get(), POLLIN, 0};
    fds[3] = {denied_ != nullptr ? denied_->descriptor() : -1, POLLIN, 0};
    fds[4] = {watched_ ? options_.watcher->link() : -1, POLLIN, 0};
    fds[5] = {options_.asker != nullptr ? options_.asker->link() : -1, POLLIN, 0};
    size_t tty = terminal_ != nullptr ? terminal_->poll_set(fds + kPollFds) : 0;
    int ready = poll(fds, kPollFds + tty, timeout());
    if (ready < 0 && errno != EINTR)
      return fail(Code::kSystem, "the supervisor cannot wait for its jail", {}, {}, {}, errno);
    if (fds[0].revents != 0) on_signals();
    if ((fds[3].revents & POLLIN) != 0 && !denied_->serve()) {
      failure_ = fail(Code::kSystem, "a system call of the program cannot be answered", "the kernel refuses the answer");
      kill_tree(EndedBy::Supervisor);
    }
    if ((fds[3].revents & ~POLLIN) != 0) denied_ = nullptr;   // nobody is left under the filter
    if (fds[4].revents != 0) on_watcher();
    if (options_.asker != nullptr) on_asker();
    if (terminal_ != nullptr) terminal_->handle(std::span<const pollfd>(fds + kPollFds, tty));
    if (fds[1].revents != 0) on_wire();
    if (fds[2].revents != 0) gone_ = gone_ || fds[1].revents == 0;
    on_time();
  }
  outcome_.wall_ns = now_ns() - begun_;
  if (terminal_ != nullptr) terminal_->finish();
  int status = jail_.end();
  if (!exited_) outcome_.wait_status = status;
  if (!failure_) return tl::unexpected<Error>(failure_.error());
  if (blind_)
    return fail(Code::kSystem, "what the jail uses could not be read any more, and so it was ended",
                "its limits would have bound nobody", "look for the limit of open files, or what hides /proc and its groups");
  // Nobody ended it, and it did not say how its program ended.
  bool gave_up = WIFEXITED(status) || WTERMSIG(status) != SIGKILL;
  if (!exited_ && outcome_.killed_by == EndedBy::Itself && gave_up)
    return fail(Code::kSystem, "pid 1 of the jail gave up, and the jail ended with it",
                "it could not be kept apart from its program, or a call failed that it cannot do without");
  outcome_.ended_outside = !exited_ && !plan_.enters && outcome_.killed_by == EndedBy::Itself;
  // Reading what the group counted costs more than many a run; it is asked for when it is told or tells why.
  constexpr uint64_t kLongerThanAStart = 20'000'000;
  if (options_.usage || WIFSIGNALED(outcome_.wait_status))
    outcome_.usage = jail_.groups.usage();
  else if (outcome_.wait_status != 0 || outcome_.wall_ns > kLongerThanAStart)
    outcome_.usage.pids_limit_hits = jail_.groups.pids_refused();
  if (outcome_.usage.oom_kills.value_or(0) > 0 && outcome_.killed_by == EndedBy::Itself &&
      WIFSIGNALED(outcome_.wait_status))
    outcome_.killed_by = EndedBy::MemoryLimit;
  return outcome_;
}

}  // namespace

Result<UniqueFd> watch_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : kWatchedSignals) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return fail(Code::kSystem, "signals cannot be watched", {}, {}, {}, errno);
  return fd;
}

Result<Outcome> supervise(const Plan& plan, Launched& jail, int signals, Terminal* terminal, Denied* denied,
                          const SuperviseOptions& options) {
  return Loop(plan, jail, signals, terminal, denied, options).run();
}

}  // namespace immure::run
