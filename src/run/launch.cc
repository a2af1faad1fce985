#include "run/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/text.h"
#include "kernel/sys.h"
#include "run/diagnose.h"
#include "run/hints.h"
#include "run/look.h"
#include "run/maps.h"
#include "run/terminal.h"
#include "run/verify.h"
#include "uapi/kernel.h"

namespace immure::run {
namespace {

using child::Kind;
using child::Message;

// The errors after which it pays to find out what this host can do: what assume() took for granted is missing.
bool worth_a_probe(Op op, int error) {
  if (error == ENOSYS || (error == ENOENT && op == Op::WriteFile)) return true;
  bool mounts = op == Op::FsSetFd || op == Op::FsMount || op == Op::FsOpen || op == Op::OpenTree || op == Op::FsSet;
  return (error == EPERM || error == EINVAL || error == EACCES) &&
         (mounts || op == Op::Unshare || op == Op::WriteFile || op == Op::Start || op == Op::LandlockCreate || op == Op::Seccomp);
}

// The plan as the child sees it: arrays of pointers into the plan's arena.
struct Image {
  child::View view;
  std::vector<char*> argv, envp;
  std::vector<const char*> candidates;
  std::vector<sock_fprog> filters;
  std::vector<int> kept;
  uint64_t* stamps = nullptr;
  size_t stamps_size = 0;

  Image(const Plan& plan, const LaunchOptions& options);
  Image(const Image&) = delete;
  ~Image() {
    if (stamps != nullptr) munmap(stamps, stamps_size);
  }
};

Image::Image(const Plan& plan, const LaunchOptions& options) {
  auto list = [&](const std::vector<uint32_t>& offsets, std::vector<char*>& out) {
    for (uint32_t offset : offsets) out.push_back(const_cast<char*>(plan.text(offset)));
    out.push_back(nullptr);
  };
  list(plan.argv, argv);
  list(plan.env, envp);
  for (uint32_t offset : plan.candidates) candidates.push_back(plan.text(offset));
  candidates.push_back(nullptr);
  for (const auto& program : plan.filters)
    filters.push_back({static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())});
  kept = plan.kept_fds;
  kept.push_back(-1);
  view.steps = plan.steps.data();
  view.step_count = static_cast<uint32_t>(plan.steps.size());
  view.arena = plan.arena.c_str();
  view.argv = argv.data();
  view.envp = envp.data();
  view.candidates = candidates.data();
  view.filters = filters.data();
  view.kept_fds = kept.data();
  view.own_arguments = options.own_arguments;
  view.own_arguments_size = options.own_arguments_size;
  for (int& fd : view.fds) fd = -1;
  if (!options.step_times) return;
  stamps_size = plan.steps.size() * sizeof(uint64_t);
  void* memory = mmap(nullptr, stamps_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) view.stamps = stamps = static_cast<uint64_t*>(memory);
}

tl::unexpected<LaunchFailure> failed(Error error, bool retry = false) {
  return tl::unexpected<LaunchFailure>(LaunchFailure{std::move(error), retry});
}

// One start, from the first descriptor to Running.
class Launcher {
 public:
  Launcher(const Plan& plan, const JailSpec& spec, const LaunchOptions& options)
      : plan_(plan), spec_(spec), options_(options), image_(plan, options) {}
  tl::expected<Launched, LaunchFailure> start();

 private:
  using Step_ = tl::expected<void, LaunchFailure>;
  Step_ prepare();
  Step_ clone();
  Status look_through_trees();
  Step_ make_sources();
  Step_ reach_gate();
  Step_ reach_program();
  Step_ send(Kind kind);
  Step_ was_sent(long n);
  tl::expected<Message, LaunchFailure> receive();
  bool answer_until_told();
  LaunchFailure step_failure(uint32_t index, int error);
  int above_kept(int fd);
  void own_sources();
  void take_census(UniqueFd tree);

  const Plan& plan_;
  const JailSpec& spec_;
  const LaunchOptions& options_;
  Image image_;
  UniqueFd child_wire_;
  bool mounts_verified_ = false;
  Launched jail_;
};

// Descriptors that the program's own numbers must not overwrite are moved above the highest of them.
int Launcher::above_kept(int fd) {
  int highest = 2;
  for (int kept : plan_.kept_fds) highest = kept > highest ? kept : highest;
  if (fd < 0 || plan_.kept_fds.empty()) return fd;
  long moved = sys::call(__NR_fcntl, fd, F_DUPFD_CLOEXEC, highest + 1);
  sys::close(fd);
  return static_cast<int>(moved);
}

Launcher::Step_ Launcher::prepare() {
  jail_.timings.begun = now_ns();
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return failed(Error{Code::kSystem, errno, "no socket pair can be made", {}, "raise the limit of open files", {}});
  jail_.wire.reset(pair[0]);
  child_wire_.reset(above_kept(pair[1]));
  image_.view.wire = child_wire_.get();
  image_.view.other_wire = jail_.wire.get();
  for (const auto& [slot, number] : plan_.passed_fds) {
    long copy = sys::call(__NR_fcntl, number, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
      return failed(Error{Code::kBadValue, static_cast<int>(-copy), "--pass-fd " + num(static_cast<uint64_t>(number)) + " cannot be passed",
                          "it is not open", "open it in the caller: immure run --pass-fd 5 … 5<FILE", {}});
    image_.view.fds[slot] = above_kept(static_cast<int>(copy));
    jail_.sources.emplace_back(image_.view.fds[slot]);
  }
  auto groups = Groups::make(plan_, image_.view.fds);
  if (!groups) return failed(groups.error());
  jail_.groups = std::move(*groups);
  jail_.timings.groups = now_ns();
  return {};
}

// While pid 1 does what it can do alone.
Launcher::Step_ Launcher::make_sources() {
  int failed_step = child::run_steps(image_.view, Side::Parent);
  own_sources();
  if (failed_step != 0) return tl::unexpected<LaunchFailure>(step_failure(image_.view.failed_step, failed_step));
  if (!plan_.handed_over.empty())
    if (auto sent = was_sent(child::send_sources(jail_.wire.get(), image_.view, plan_.handed_over)); !sent) return sent;
  jail_.timings.sources = now_ns();
  return {};
}

// What the parent's steps left open. A descriptor that a step has used up stands as -1 in its slot.
void Launcher::own_sources() {
  for (const Step& step : plan_.steps)
    if (step.side == Side::Parent && step.out >= 0 && image_.view.fds[step.out] >= 0) jail_.sources.emplace_back(image_.view.fds[step.out]);
}

// A tree can be held, and not read; whoever lets it go waits, as for the other ones.
void Launcher::take_census(UniqueFd tree) {
  jail_.census.reset(static_cast<int>(sys::open(tree.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  jail_.sources.push_back(std::move(tree));
}

Launcher::Step_ Launcher::clone() {
  int pidfd = -1;
  uapi::CloneArgs args{};
  args.flags = plan_.clone_flags | uapi::kClonePidfd | uapi::kCloneClearSighand;
  args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  if (jail_.groups.into() >= 0) {
    args.flags |= uapi::kCloneIntoCgroup;
    args.cgroup = static_cast<uint64_t>(jail_.groups.into());
  }
  long pid = sys::call(__NR_clone3, sys::arg(&args), sizeof args);
  if (pid == 0) child::child_main(image_.view);
  if (pid < 0) return failed(explain_clone(plan_, static_cast<int>(-pid)), true);
  jail_.init = static_cast<int>(pid);
  jail_.pidfd.reset(pidfd);
  child_wire_.reset();
  jail_.groups.close_descriptors();
  jail_.timings.cloned = now_ns();
  // A child that was given this processor runs up to where it waits for its ids, and is then woken on a free one.
  sys::call(__NR_sched_yield);
  if (auto maps = write_maps(plan_, jail_.init); !maps) return failed(maps.error(), true);
  if (auto sent = send(Kind::MapsWritten); !sent) return sent;
  jail_.timings.mapped = now_ns();
  return {};
}

// A child that has gone shows when something is to be received from it.
Launcher::Step_ Launcher::send(Kind kind) {
  return was_sent(child::send_message(jail_.wire.get(), {kind, 0, 0, 0, 0, 0, 0}));
}

Launcher::Step_ Launcher::was_sent(long n) {
  if (n >= 0 || n == -EPIPE || n == -ECONNRESET) return {};
  return failed(Error{Code::kSystem, static_cast<int>(-n), "pid 1 of the jail cannot be spoken to", {}, {}, {}});
}

LaunchFailure Launcher::step_failure(uint32_t index, int error) {
  const Step& step = plan_.steps[index];
  bool retry = worth_a_probe(step.op, error);
  if (step.op != Op::Exec) return {explain_step(plan_, spec_, index, error), retry};
  std::string root = "/proc/" + num(static_cast<uint64_t>(jail_.init)) + "/root";
  UniqueFd root_fd(static_cast<int>(sys::open(AT_FDCWD, root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)));
  if (!root_fd && jail_.proc) root_fd.reset(static_cast<int>(sys::open(jail_.proc.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC)));
  return {explain_exec(plan_, error, root_fd.get()), false};
}

// Where the plan records, what leads to Running may wait for an answer: the exec, and what the program does at once.
// False: it cannot be answered.
bool Launcher::answer_until_told() {
  while (options_.denied != nullptr && jail_.listener) {
    pollfd both[2] = {{jail_.wire.get(), POLLIN, 0}, {options_.denied->descriptor(), POLLIN, 0}};
    long ready = sys::call(__NR_ppoll, sys::arg(both), 2, 0, 0, 8);
    if (ready < 0 && ready != -EINTR) return false;
    if (ready <= 0) continue;
    if (both[0].revents != 0 || (both[1].revents & POLLIN) == 0) return true;
    if (!options_.denied->serve()) return false;
  }
  return true;
}

tl::expected<Message, LaunchFailure> Launcher::receive() {
  for (;;) {
    if (!answer_until_told()) {
      jail_.end();
      return failed(Error{Code::kSystem, 0, "a system call of the program cannot be answered", "the kernel refuses the answer", {}, {}});
    }
    Message message;
    child::Along along;
    long n = child::receive_message(jail_.wire.get(), message, &along);
    UniqueFd received(along.fd), second(along.second);
    if (n <= 0) {
      int status = jail_.end();
      std::string why = WIFSIGNALED(status) ? "signal " + num(static_cast<uint64_t>(WTERMSIG(status))) + " killed pid 1 of the jail"
                                            : "pid 1 of the jail ended with status " + num(static_cast<uint64_t>(WEXITSTATUS(status)));
      return failed(Error{Code::kSystem, 0, "the jail ended before its program started", why,
                          "the memory limit may be too small for the set-up itself (--memory)", {}});
    }
    if (message.kind == Kind::MountsReady) {
      if (received) take_census(std::move(received));
      jail_.socket_lists = std::move(second);
      if (auto verified = verify_mounts(plan_, jail_.init); !verified) return failed(verified.error());
      mounts_verified_ = true;
    } else if (message.kind == Kind::Terminal) {
      jail_.terminal = std::move(received);
      dress_terminal(jail_.terminal.get(), plan_.pty_fds);
    } else if (message.kind == Kind::Listener) {
      jail_.listener = std::move(received);
      if (options_.denied != nullptr) options_.denied->listen(jail_.listener.get());
    } else if (message.kind == Kind::StepFailed && message.step < plan_.steps.size()) {
      LaunchFailure failure = step_failure(message.step, message.error);
      jail_.end();
      return tl::unexpected<LaunchFailure>(std::move(failure));
    } else {
      if (received) jail_.listener = std::move(received);   // comes with Running
      return message;
    }
  }
}

Status Launcher::look_through_trees() {
  for (const Tree& tree : plan_.written_trees) IMMURE_TRY(look_for_owners_power(tree));
  if (plan_.root_tree.path.empty()) return {};
  auto remembered = read_file(options_.root_manifest);
  return look_for_outside_links(plan_.root_tree, remembered ? std::string_view(*remembered) : std::string_view(), &jail_.root_manifest);
}

Launcher::Step_ Launcher::reach_gate() {
  // pid 1 has the longer way: it goes first where both have one processor. The parent looks meanwhile through
  // trees that could be doors.
  sys::call(__NR_sched_yield);
  if (auto looked = look_through_trees(); !looked) return failed(looked.error());
  const BothNamespaces namespaces{Namespaces::own(), Namespaces::of(jail_.pidfd.get(), jail_.init)};
  if (auto verified = verify_early(plan_, namespaces, jail_.namespaces); !verified) return failed(verified.error());
  auto message = receive();
  if (!message) return tl::unexpected<LaunchFailure>(std::move(message.error()));
  jail_.timings.gate = now_ns();
  if (message->kind != Kind::AtGate || (!plan_.mounts.empty() && !mounts_verified_))
    return failed(Error{Code::kSystem, 0, "pid 1 of the jail said something unexpected", {}, {}, {}});
  if (plan_.counts_processes() && !jail_.census)
    return failed(Error{Code::kSystem, 0, "the jail's processes cannot be counted", "their list did not come", {}, {}});
  std::string root_proc = "/proc/" + num(static_cast<uint64_t>(jail_.init)) + "/root/proc";
  jail_.proc.reset(static_cast<int>(sys::open(AT_FDCWD, root_proc.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  if (auto verified = verify_at_gate(plan_, jail_.init, namespaces, jail_.namespaces); !verified) return failed(verified.error());
  if (options_.watcher != nullptr)
    if (auto begun = options_.watcher->begin(jail_.init, jail_.pidfd.get(), spec_.name); !begun) return failed(begun.error());
  if ((plan_.clone_flags & uapi::kCloneNewNet) != 0)
    jail_.network = namespaces.jail.open("net");
  jail_.timings.verified = now_ns();
  return {};
}

Launcher::Step_ Launcher::reach_program() {
  if (auto sent = send(Kind::Go); !sent) return sent;
  auto message = receive();
  if (!message) return tl::unexpected<LaunchFailure>(std::move(message.error()));
  if (message->kind != Kind::Running)
    return failed(Error{Code::kSystem, 0, "pid 1 of the jail said something unexpected", {}, {}, {}});
  jail_.timings.running = now_ns();
  if (image_.stamps != nullptr) jail_.timings.steps.assign(image_.stamps, image_.stamps + plan_.steps.size());
  return {};
}

tl::expected<Launched, LaunchFailure> Launcher::start() {
  for (Step_ (Launcher::*part)() : {&Launcher::prepare, &Launcher::clone, &Launcher::make_sources, &Launcher::reach_gate, &Launcher::reach_program})
    if (Step_ done = (this->*part)(); !done) {
      jail_.end();
      return tl::unexpected<LaunchFailure>(std::move(done.error()));
    }
  return std::move(jail_);
}

}  // namespace

uint64_t now_ns() {
  long t[2] = {0, 0};
  sys::call(__NR_clock_gettime, 4 /* CLOCK_MONOTONIC_RAW */, sys::arg(t));
  return static_cast<uint64_t>(t[0]) * 1'000'000'000U + static_cast<uint64_t>(t[1]);
}

Launched::Launched(Launched&& other) noexcept { *this = std::move(other); }

Launched& Launched::operator=(Launched&& other) noexcept {
  if (this == &other) return *this;
  end();
  init = std::exchange(other.init, -1);
  pidfd = std::move(other.pidfd);
  wire = std::move(other.wire);
  listener = std::move(other.listener);
  terminal = std::move(other.terminal);
  proc = std::move(other.proc);
  census = std::move(other.census);
  socket_lists = std::move(other.socket_lists);
  network = std::move(other.network);
  namespaces = other.namespaces;
  groups = std::move(other.groups);
  sources = std::move(other.sources);
  root_manifest = std::move(other.root_manifest);
  timings = std::move(other.timings);
  return *this;
}

Launched::~Launched() { end(); }

int Launched::end() {
  if (init <= 0) return 0;
  int status = 0;
  sys::call(__NR_kill, init, SIGKILL);
  sources.clear();
  listener.reset();   // what nobody needs now is taken apart while pid 1 ends
  socket_lists.reset();
  while (sys::call(__NR_wait4, init, sys::arg(&status), 0x40000000 /* __WALL */, 0) == -EINTR) {
  }
  init = -1;
  return status;
}

tl::expected<Launched, LaunchFailure> launch(const Plan& plan, const JailSpec& spec, const LaunchOptions& options) {
  return Launcher(plan, spec, options).start();
}

}  // namespace immure::run
