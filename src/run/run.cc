#include "run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "base/file.h"
#include "base/text.h"
#include "kernel/ids.h"
#include "kernel/sys.h"
#include "plan/compile.h"
#include "run/descriptors.h"
#include "run/diagnose.h"
#include "run/launch.h"
#include "run/record_file.h"
#include "run/report.h"
#include "run/root_manifest.h"
#include "run/state.h"
#include "run/supervise.h"
#include "run/verify.h"
#include "run/watchdog.h"

namespace immure::run {
namespace {

void say(std::string_view text) { (void)write_fd(2, text, "stderr"); }

// What is on the screen, for the descriptor of status: one JSON object a line.
class StatusChannel {
 public:
  explicit StatusChannel(int fd) : fd_(fd) {}
  void line(const JsonWriter& json) const {
    if (fd_ >= 0) (void)write_fd(fd_, json.str() + "\n", "--status-fd");
  }
  bool wanted() const { return fd_ >= 0; }
  int fd() const { return fd_; }

 private:
  int fd_;
};

class Run {
 public:
  Run(JailSpec spec, const RunOptions& options, const Caller& caller)
      : spec_(std::move(spec)), options_(options), caller_(caller), status_(options.status_fd) {}
  int run();

 private:
  int refuse(const Error& error, const char* stage);
  Status plan_it(bool probed);
  tl::expected<Launched, LaunchFailure> start();
  tl::expected<Launched, LaunchFailure> start_again_if_needed(bool probed);
  tl::expected<Launched, LaunchFailure> start_by_free_name(bool probed);
  bool is_group_taken(const Error& error) const;
  Status watch();
  Status take_name_of(std::string file);
  Status publish(const Launched& jail);
  Status begin_record();
  Status end_record();
  Result<Outcome> attend(Launched& jail, int signals);
  Status plan_with_reasons(bool& probed);
  int running_pid(const Launched& jail) const;
  Status verify_started(const Launched& jail) const;
  std::string death(const Outcome& outcome) const;
  void tell(const Outcome& outcome, const Timings& timings);
  void clean_up();

  Watchdog watchdog_;                    // the first, and so the last to go: it ends beside the others
  JailSpec spec_;
  const RunOptions& options_;
  const Caller& caller_;
  StatusChannel status_;
  Host host_;
  Plan plan_;
  Watched watched_;
  std::optional<Denied> denied_;         // none without a listener
  std::optional<Opened> opened_;         // with --record-files
  std::optional<RecordFile> record_;
  std::optional<Watcher> watcher_;       // with --watch
  std::optional<Asker> asker_;           // of policy ask
  std::string state_dir_, state_file_, temporary_, root_manifest_;
  bool named_ = false;
  bool leaves_state_ = false;            // the state file is there, or may be
};

int Run::refuse(const Error& error, const char* stage) {
  say(format(error));
  int status = exit_status(error.code);
  if (status_.wanted()) {
    JsonWriter json;
    json.begin_object();
    json.text("stage", stage).number("code", status);
    json.text("error", error.what).text("why", error.why).text("how", error.how).text("origin", error.origin);
    json.number("errno", error.sys_errno);
    status_.line(json.end_object());
  }
  return status;
}

Status Run::plan_it(bool probed) {
  Features features = probed ? Features::probe() : Features::assume(spec_.need_of(Layer::Cgroup) != Need::Off);
  auto plan = compile(spec_, features, host_, RealHostFiles{}, caller_.environment);
  if (!plan) return tl::unexpected<Error>(plan.error());
  for (const char*& group : watched_.groups) group = nullptr;   // of the plan that goes now
  plan_ = std::move(*plan);
  return {};
}

// A jail without a group, a terminal and a name of its own leaves nothing until its state is written.
Status Run::watch() {
  if (watchdog_.runs()) return {};
  long started = watchdog_.start(&watched_);
  if (started > 0) return {};
  return fail(Code::kSystem, "the watchdog that cleans up after a killed immure cannot be started", {},
              "the limit of processes is reached, or the memory", {}, static_cast<int>(-started));
}

tl::expected<Launched, LaunchFailure> Run::start() {
  for (size_t i = 0; i < plan_.cgroup.size() && i < kWatchedPaths; i++) watched_.groups[i] = plan_.cgroup[i].path.c_str();
  bool leaves_something = !plan_.cgroup.empty() || plan_.pty;
  if (leaves_something)
    if (auto watched = watch(); !watched) return tl::unexpected<LaunchFailure>(LaunchFailure{watched.error(), false});
  LaunchOptions options;
  options.step_times = options_.timings && spec_.seccomp != "strict";   // it would kill the clock's reader
  options.own_arguments = caller_.own_arguments;
  options.own_arguments_size = caller_.own_arguments_size;
  root_manifest_ = manifest_path(state_dir_, plan_.root_tree.device, plan_.root_tree.inode);
  options.root_manifest = root_manifest_;
  options.watcher = watcher_ ? &*watcher_ : nullptr;
  if (plan_.records_files) opened_.emplace(plan_);
  if (plan_.told_of_calls()) {
    CallWriter* writer = watcher_ ? watcher_->writer(plan_) : nullptr;
    options.denied = &denied_.emplace(plan_, opened_ ? &*opened_ : nullptr, writer);
  }
  return launch(plan_, spec_, options);
}

// The first plan takes for granted what good hosts offer; when the kernel refuses a step, a second one is made
// from what was found by trying. Nothing has run so far.
tl::expected<Launched, LaunchFailure> Run::start_again_if_needed(bool probed) {
  auto jail = start();
  if (jail || !jail.error().retry || probed) return jail;
  if (auto again = plan_it(true); !again) return tl::unexpected<LaunchFailure>(LaunchFailure{again.error(), false});
  return start();
}

// A group that somebody else made: what this run made was taken away when it failed.
bool Run::is_group_taken(const Error& error) const {
  if (error.sys_errno != EEXIST) return false;
  for (const CgroupDir& group : plan_.cgroup)
    if (sys::call(__NR_faccessat, AT_FDCWD, sys::arg(group.path.c_str()), F_OK) == 0) return true;
  return false;
}

// A jail that was killed together with its watchdog leaves its group behind, and process numbers come again: a name that
// nobody chose gets another ending then.
tl::expected<Launched, LaunchFailure> Run::start_by_free_name(bool probed) {
  constexpr uint64_t kEndings = 8;
  for (uint64_t ending = 2;; ending++) {
    auto jail = start_again_if_needed(probed);
    if (jail || named_ || ending > kEndings || !is_group_taken(jail.error().error)) return jail;
    for (const char*& file : watched_.files) file = nullptr;   // of the name that goes now
    spec_.name = "jail-" + num(host_.pid) + "-" + num(ending);
    if (auto taken = take_name_of(state_path(state_dir_, spec_.name)); !taken)
      return tl::unexpected<LaunchFailure>(LaunchFailure{taken.error(), false});
    if (auto again = plan_it(probed); !again) return tl::unexpected<LaunchFailure>(LaunchFailure{again.error(), false});
  }
}

// The program, as this process sees it: pid 1's only child at this moment.
int Run::running_pid(const Launched& jail) const {
  std::string init = num(static_cast<uint64_t>(jail.init));
  auto children = read_file("/proc/" + init + "/task/" + init + "/children", 4096);
  if (!children) return 0;
  size_t end = children->find(' ');
  return static_cast<int>(parse_u64(children->substr(0, end)).value_or(0));
}

Status Run::publish(const Launched& jail) {
  IMMURE_TRY(watch());
  leaves_state_ = true;
  IMMURE_TRY(write_state(state_file_, {plan_, spec_, jail, caller_.words}));
  int pid = running_pid(jail);
  if (pid > 0) IMMURE_TRY(verify_descriptors(plan_, pid));
  IMMURE_TRY(verify_init(plan_, jail.init));
  if (!status_.wanted()) return {};
  JsonWriter json;
  json.begin_object();
  json.text("stage", "running").text("name", spec_.name).number("init_pid", jail.init).number("pid", pid);
  status_.line(json.end_object());
  return {};
}

// A listener can only have come from a filter that is in force; without one the kernel is asked.
Status Run::verify_started(const Launched& jail) const {
  if (jail.listener && is_listener(jail.listener.get())) return {};
  int pid = running_pid(jail);
  return pid > 0 ? verify_running(plan_, pid) : Status{};
}

std::string Run::death(const Outcome& outcome) const {
  DeathFacts facts;
  facts.wait_status = outcome.wait_status;
  facts.by = outcome.killed_by;
  facts.outside = outcome.ended_outside;
  facts.summed = plan_.supervisor_sums;
  facts.memory_limit = plan_.memory_limit;
  facts.memory_peak = outcome.usage.memory_peak.value_or(outcome.memory_seen);
  facts.sockets_unseen = outcome.sockets_unseen;
  facts.oom_kills = outcome.usage.oom_kills.value_or(0);
  facts.pids_limit = plan_.pids_limit;
  facts.pids_seen = outcome.processes_seen;
  facts.pids_refused = outcome.usage.pids_limit_hits.value_or(0);
  facts.wall_limit_ns = plan_.wall_limit_ns;
  facts.cpu_limit_ns = plan_.cpu_time_limit_ns;
  facts.kill_after_ns = plan_.kill_after_ns;
  facts.file_size_limit = plan_.file_size_limit;
  if (denied_ && !denied_->calls().empty()) facts.denied_call = call_text(denied_->calls().back());
  std::string text;
  for (const Note& note : explain_death(facts)) text += format(note);
  return text;
}

void Run::tell(const Outcome& outcome, const Timings& timings) {
  std::vector<std::string> made = appeared(plan_);
  const Opened* opened = opened_ ? &*opened_ : nullptr;
  if (options_.json) {
    std::string denied_json = denied_ ? denied_->json() : std::string();
    say(run_json({spec_, plan_, timings, outcome, denied_json, made, opened}) + "\n");
  } else if (!options_.quiet) {
    if (options_.timings) say(timings_text(plan_, timings));
    if (denied_ && denied_->total() != 0) say("immure: " + denied_->summary() + "\n");
    if (asker_ && asker_->unasked() != 0)
      say("immure: " + num(asker_->unasked()) + " calls were denied without a question, since there were too many\n");
    if (opened != nullptr && (options_.verbose || opened->unread() + opened->beyond() != 0))
      say("immure: " + recorded_text(*opened) + "\n");
    say(death(outcome) + appeared_text(made));
  }
  if (!status_.wanted()) return;
  JsonWriter json;
  json.begin_object();
  json.text("stage", "exited").number("code", outcome.exit_status());
  json.number("signal", WIFSIGNALED(outcome.wait_status) ? WTERMSIG(outcome.wait_status) : 0);
  if (outcome.killed_by == EndedBy::Itself)
    json.null("killed_by");
  else
    json.text("killed_by", text(outcome.killed_by));
  status_.line(json.end_object());
}

void Run::clean_up() {
  if (leaves_state_) unlink(state_file_.c_str());
  watchdog_.dismiss();
}

// Before anything of the jail is made: what has that name is not written over.
Status Run::begin_record() {
  if (!plan_.records_files) return {};
  auto file = RecordFile::make(spec_.record_files.value);
  if (file) {
    record_.emplace(std::move(*file));
    return {};
  }
  Error error = std::move(file.error());
  error.origin = spec_.origin_text(spec_.set_by_word(Field::RecordFiles));
  return tl::unexpected<Error>(std::move(error));
}

Status Run::end_record() {
  if (!record_ || !opened_) return {};
  Status written = record_->write(opened_->text(spec_.name));
  record_.reset();
  return written;
}

// The jail runs: terminal, denied calls, the loop. An error ends it.
Result<Outcome> Run::attend(Launched& jail, int signals) {
  std::optional<Terminal> terminal;
  if (jail.terminal) {
    auto started = Terminal::start(std::move(jail.terminal), plan_.pty_fds, &watched_.terminal);
    if (!started) return tl::unexpected<Error>(started.error());
    terminal.emplace(std::move(*started));
  }
  if (opened_) opened_->started();
  if (watcher_) watcher_->started();
  if (!plan_.told_of_calls() && jail.listener) denied_.emplace(jail.listener.get());
  if (asker_ && denied_) {
    asker_->begin(jail.listener.get(), plan_);
    denied_->ask_with(*asker_);
  }
  IMMURE_TRY(verify_started(jail));
  struct Alive {
    Run& run;
    const Launched& jail;
  } alive{*this, jail};
  SuperviseOptions how;
  how.when_alive = [](void* context) {
    auto& now = *static_cast<Alive*>(context);
    return now.run.publish(now.jail);
  };
  how.context = &alive;
  if (status_.wanted()) how.alive_after_ns = 0;
  how.watcher = watcher_ ? &*watcher_ : nullptr;
  how.asker = asker_ ? &*asker_ : nullptr;
  if (watcher_) watcher_->runs(running_pid(jail));
  how.usage = options_.json || options_.verbose;
  return supervise(plan_, jail, signals, terminal ? &*terminal : nullptr, denied_ ? &*denied_ : nullptr, how);
}

// The first plan takes for granted what good hosts offer; when it asks for what assume() found missing, probe() says why.
Status Run::plan_with_reasons(bool& probed) {
  auto planned = plan_it(false);
  if (planned || planned.error().code != Code::kLayer) return planned;
  probed = true;
  return plan_it(true);
}

// Only a name that was chosen can be somebody else's. The watchdog knows of the file as soon as it is ours.
Status Run::take_name_of(std::string file) {
  UniqueFd claim;
  if (named_) {
    IMMURE_TRY(watch());
    auto taken = take_name(file, spec_.name);
    if (!taken) return tl::unexpected<Error>(taken.error());
    claim = std::move(*taken);
  }
  state_file_ = std::move(file);
  leaves_state_ = named_;
  watched_.files[0] = state_file_.c_str();
  temporary_ = temporary_name(state_file_);
  watched_.files[1] = temporary_.c_str();
  return named_ ? write_claim(claim, state_file_, spec_.name) : Status{};
}

int Run::run() {
  // Before anything is opened: a number that nobody opened would be one of immure's own by then.
  if (auto ok = check_passed_descriptors(spec_); !ok) return refuse(ok.error(), "setup");
  if (auto ok = check_status_descriptor(status_.fd()); !ok) return refuse(ok.error(), "setup");
  if (auto ok = check_standard_descriptors(); !ok) return refuse(ok.error(), "setup");
  if (caller_.watch.given()) {
    auto watcher = Watcher::open(caller_.watch, spec_);
    if (!watcher) return refuse(watcher.error(), "setup");
    watcher_.emplace(std::move(*watcher));
  }
  if (caller_.ask_fd >= 0) {
    auto asker = Asker::open(caller_.ask_fd);
    if (!asker) return refuse(asker.error(), "setup");
    asker_.emplace(std::move(*asker));
    spec_.asks = true;
  }
  umask(0);   // modes are meant as they are written; the program gets its own umask
  host_ = Host::observe();
  if (spec_.id_range != 0 && !host_.privileged) observe_subids(host_);
  named_ = !spec_.name.empty();
  if (!named_) spec_.name = "jail-" + num(host_.pid);
  auto dir = state_dir();
  if (!dir) return refuse(dir.error(), "setup");
  state_dir_ = host_.state_folder = *dir;
  std::string file = state_path(state_dir_, spec_.name);
  auto signals = watch_signals();
  if (!signals) return refuse(signals.error(), "setup");

  bool probed = false;
  if (auto planned = plan_with_reasons(probed); !planned) return refuse(planned.error(), "setup");
  // The program would write where the questions are.
  if (asker_ && !plan_.pty && (isatty(0) != 0 || isatty(1) != 0 || isatty(2) != 0))
    return refuse(Error{Code::kLayer, 0, "nobody can be asked here", "the jail has the caller's terminal instead of one of its own",
                        "immure run runs the program without questions", {}},
                  "setup");
  if (auto aside = Groups::step_aside(plan_); !aside) return refuse(aside.error(), "setup");
  if (auto begun = begin_record(); !begun) return refuse(begun.error(), "setup");
  if (auto named = take_name_of(std::move(file)); !named) {
    clean_up();
    return refuse(named.error(), "setup");
  }
  auto jail = start_by_free_name(probed);
  if (!jail) {
    clean_up();
    return refuse(jail.error().error, "setup");
  }
  jail->timings.started = caller_.started_ns;
  if (options_.verbose && !options_.json) say("immure: jail " + quoted(spec_.name) + "\n" + layers_text(plan_, use_colour(2)));
  auto outcome = attend(*jail, signals->get());
  jail->end();
  // Without it the next start looks again: no reason to complain.
  if (!jail->root_manifest.empty()) (void)write_file_atomic(root_manifest_, jail->root_manifest, 0600);
  jail->groups.remove();
  clean_up();
  if (auto recorded = end_record(); !recorded) say(format(recorded.error()));
  if (watcher_)
    if (auto read = watcher_->end(outcome ? outcome->wait_status : 0); !read) say(format(read.error()));
  if (!outcome) return refuse(outcome.error(), "running");
  tell(*outcome, jail->timings);
  return outcome->exit_status();
}

}  // namespace

int run_jail(JailSpec spec, const RunOptions& options, const Caller& caller) {
  return Run(std::move(spec), options, caller).run();
}

}  // namespace immure::run
