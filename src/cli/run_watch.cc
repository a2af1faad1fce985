#include "cli/run_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

#include "base/file.h"
#include "base/text.h"
#include "cli/run_watch_again.h"
#include "cli/watch_baseline.h"
#include "kernel/call_ring.h"
#include "kernel/watch_link.h"
#include "watch/session.h"
#include "watch/sinks/json.h"
#include "watch/sinks/text.h"
#include "watch/sources/joined.h"
#include "watch/sources/members.h"
#include "watch/sources/notify.h"
#include "watch/trace/writer.h"

namespace immure::cli {
namespace {

using watch::Level;

constexpr mode_t kPrivate = 0600;

// All that the watcher works with; made before it is, so that what cannot be is an error of the command line.
struct Job {
  JailSpec spec;
  Level level = Level::Security;
  CallRing ring;
  UniqueFd link;  // the watcher's end
  UniqueFd json;
  const watch::SourceKind* kind = nullptr;       // null: notification
  UniqueFd init;                                 // a pidfd of pid 1
  std::unique_ptr<watch::Source> attached = {};  // of that kind
  std::unique_ptr<watch::TraceWriter> trace;
  std::shared_ptr<const watch::Expected> known;  // null: nothing is known of ordinary work
  int keeper = -1;                               // a pidfd, in the process that reads the ring
  bool again = false;                            // another one has begun, and was killed
  Written written;                               // what it had written
};

Result<Level> level_of(const JailSpec& spec) {
  for (int i = 0; i < watch::kLevelCount; i++)
    if (spec.watch.level == watch::key(static_cast<Level>(i))) return static_cast<Level>(i);
  return fail(Code::kBadValue, "--watch does not know " + quoted(spec.watch.level));
}

tl::unexpected<Error> of_word(const JailSpec& spec, Field field, Error error) {
  error.origin = spec.origin_text(spec.set_by_word(field));
  return tl::unexpected<Error>(std::move(error));
}

// New, like every file that a jail's start writes: nothing that is there is written over, no link is
// followed.
Result<UniqueFd> new_file(const JailSpec& spec, const HostPath& path, Field field, const char* word) {
  UniqueFd file;
  if (path.value.empty()) return file;
  file.reset(
      ::open(path.value.c_str(), O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, kPrivate));
  if (file) return file;
  return of_word(spec, field,
                 {Code::kBadValue,
                  errno,
                  std::string(word) + " " + quoted(path.value) + " cannot be written",
                  {},
                  errno == EEXIST ? "choose another name, or remove that file" : "",
                  {}});
}

const watch::SourceKind* kind_of(std::string_view name) {
  for (const watch::SourceKind& kind : watch::source_kinds())
    if (kind.name == name && kind.attach != nullptr) return &kind;
  return nullptr;
}

bool has_filter(const JailSpec& spec) {
  return spec.seccomp.empty() && spec.need_of(Layer::Seccomp) != Need::Off;
}

// A tracer need not stop every call where the filter can tell which. What may keep a reader of memory
// waiting, or keeps the filter from sending what it denies, is a rule of the caller's; and a call that is
// recorded as well can only go one way.
CallsGo go_of(const JailSpec& spec, const Job& job) {
  if (job.kind == nullptr) return CallsGo::ToSupervisor;
  const bool can_stop = std::string_view(job.kind->name) == "ptrace" && job.level != Level::All &&
                        has_filter(spec) && spec.syscalls.empty() && !spec.has(Weaken::NestedUserns) &&
                        spec.record_files.value.empty();
  return can_stop ? CallsGo::ToTracer : CallsGo::Nowhere;
}

// Notification loses nothing and needs no privilege, so it is taken where it can see what is wanted. Null:
// that one.
Result<const watch::SourceKind*> source_of(const JailSpec& spec, Level level) {
  const bool can_notify = level != Level::All && has_filter(spec);
  std::string name = spec.watch.source;
  if (name == "auto") name = can_notify ? "notify" : "ebpf";
  if (name != "notify") {
    const watch::SourceKind* kind = kind_of(name);
    if (kind == nullptr)
      return of_word(spec, Field::WatchSource,
                     {Code::kLayer,
                      0,
                      "the source " + name + " cannot be had",
                      "this build of immure is without it",
                      "--watch-source notify",
                      {}});
    if (Status can = kind->available(); !can) return of_word(spec, Field::Watch, std::move(can.error()));
    return kind;
  }
  if (can_notify) return nullptr;
  if (level == Level::All)
    return of_word(spec, Field::Watch,
                   {Code::kLayer,
                    0,
                    "the level all cannot be had from notification",
                    "a jail whose every call waits for its supervisor could not do its work",
                    "--watch=files",
                    {}});
  return of_word(spec, Field::Watch,
                 {Code::kLayer,
                  0,
                  "the jail cannot be watched by notification",
                  "it is the filter of immure that tells of calls, and the jail has another or none",
                  "leave --seccomp and --need seccomp=off out",
                  {}});
}

// ---- the watcher
// ------------------------------------------------------------------------------------------------

// A person is told what a watch came to when it came to something.
class OfNote final : public watch::Sink {
 public:
  OfNote(std::unique_ptr<watch::Sink> sink, bool always) : sink_(std::move(sink)), always_(always) {}
  Status event(const watch::Event& event, std::span<const uint8_t> record,
               const watch::World& world) override {
    return sink_->event(event, record, world);
  }
  Status alert(const watch::Alert& alert, const watch::World& world) override {
    return sink_->alert(alert, world);
  }
  Status flush() override { return sink_->flush(); }
  Status end(const watch::Totals& totals) override {
    return always_ || totals.alerts + totals.lost + totals.broken > 0 ? sink_->end(totals) : Status();
  }

 private:
  std::unique_ptr<watch::Sink> sink_;
  bool always_;
};

// While the program has the terminal, a line feed only goes down.
bool terminal_is_raw(int fd) {
  termios modes{};
  return tcgetattr(fd, &modes) == 0 && (modes.c_oflag & OPOST) == 0;
}

watch::TraceHead head_of(const Job& job) {
  watch::TraceHead head;
  head.target = "jail " + job.spec.name;
  for (const std::string& word : job.spec.argv) head.command.append(word).push_back('\0');
  head.source = job.kind != nullptr ? job.kind->name : "notify";
  head.level = watch::key(job.level);
  utsname host{};
  if (uname(&host) == 0) {
    head.host = host.nodename;
    head.kernel = host.release;
  }
  timespec wall{}, monotonic{};
  clock_gettime(CLOCK_REALTIME, &wall);
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  auto nanoseconds = [](const timespec& t) {
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
  };
  head.wall = nanoseconds(wall);
  head.monotonic = nanoseconds(monotonic);
  return head;
}

Status begin_trace(Job& job, const std::string& path) {
  if (path.empty()) return {};
  auto trace = watch::TraceWriter::create(path, head_of(job));
  if (!trace) return of_word(job.spec, Field::WatchTrace, std::move(trace.error()));
  job.trace = std::move(*trace);
  return {};
}

std::vector<std::unique_ptr<watch::Sink>> sinks_of(Job& job) {
  std::vector<std::unique_ptr<watch::Sink>> sinks;
  watch::TextSink::Wish text;
  text.fd = 2;
  text.events = job.spec.watch.events;
  text.may_drop = job.trace != nullptr || static_cast<bool>(job.json);
  sinks.push_back(std::make_unique<OfNote>(std::make_unique<watch::TextSink>(text), text.events));
  if (job.trace) sinks.push_back(std::move(job.trace));
  if (!job.json) return sinks;
  watch::JsonSink::Wish lines;
  lines.fd = job.json.get();
  lines.target = "jail " + job.spec.name;
  lines.source = job.kind != nullptr ? job.kind->name : "notify";
  lines.level = watch::key(job.level);
  std::unique_ptr<watch::Sink> json = std::make_unique<watch::JsonSink>(lines);
  if (job.again) json = after(std::move(json), job.written.events);
  sinks.push_back(std::move(json));
  return sinks;
}

// Of a jail that never was nothing is left.
void take_away_files(const Job& job) {
  if (job.trace) unlink(job.spec.watch.trace.value.c_str());
  struct stat made {
  }, named{};
  const char* name = job.spec.watch.json.value.c_str();
  if (!job.json || fstat(job.json.get(), &made) != 0 || lstat(name, &named) != 0) return;
  if (made.st_dev == named.st_dev && made.st_ino == named.st_ino) unlink(name);
}

// A descriptor of the caller's that this process held would keep its other side from hearing that it was
// closed.
void let_go_of_descriptors(const Job& job) {
  const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int fd : {0, 1}) dup2(nothing.get(), fd);
  std::vector<int> kept = {
      2, job.ring.memory(), job.ring.written(), job.ring.room(), job.link.get(), job.json.get()};
  if (job.trace) kept.push_back(job.trace->descriptor());
  std::sort(kept.begin(), kept.end());
  unsigned from = 3;
  for (int fd : kept) {
    if (fd < 3) continue;
    if (static_cast<unsigned>(fd) > from) syscall(SYS_close_range, from, static_cast<unsigned>(fd) - 1, 0);
    from = static_cast<unsigned>(fd) + 1;
  }
  syscall(SYS_close_range, from, ~0U, 0);
}

// What is not known to be written already. Numbers of events are those of the ring where nothing else tells
// of calls; where a tracer does, only the ring is left, and its records are known by their time.
Result<uint64_t> take_up_again(Job& job, watch::NotifySource& ring) {
  if (job.json) job.written = mend_lines(job.json.get());
  job.ring.again();
  if (job.kind != nullptr) {
    ring.skip(job.written.denied);
    return job.written.events;
  }
  auto entry = job.ring.next();
  const uint64_t first = entry && !entry->record.empty() ? entry->number - 1 : 0;
  job.ring.again();
  return first;
}

// What the session drains; the ring's own is told, which outlives none of them.
Status add_sources(Job& job, watch::Session::Parts& parts, const watch::NotifySource*& link) {
  auto ring = watch::NotifySource::make(job.ring, job.link.get(), job.keeper);
  if (!ring) return tl::unexpected<Error>(std::move(ring.error()));
  link = ring->get();
  if (job.again) {
    auto number = take_up_again(job, **ring);
    if (!number) return tl::unexpected<Error>(std::move(number.error()));
    parts.number = *number;
  }
  if (job.attached) parts.roots.push_back(std::move(job.init));
  if (job.attached && job.ring.go() == CallsGo::ToTracer) {
    auto joined = watch::JoinedSource::make(std::move(*ring), std::move(job.attached));
    if (!joined) return tl::unexpected<Error>(std::move(joined.error()));
    parts.sources.push_back(std::move(*joined));
    return {};
  }
  parts.sources.push_back(std::move(*ring));
  if (job.attached) parts.sources.push_back(std::move(job.attached));
  return {};
}

Status watch_it(Job& job) {
  watch::Session::Parts parts;
  const watch::NotifySource* link = nullptr;
  IMMURE_TRY(add_sources(job, parts, link));
  parts.sinks = sinks_of(job);
  parts.detectors = watch::detectors();
  parts.expected = job.known.get();
  parts.launching = !job.again;
  parts.ask = watch::process_now;
  watch::Session session(std::move(parts));
  auto end = session.run();
  if (!end) return tl::unexpected<Error>(std::move(end.error()));
  // Who left before the supervisor has seen the end would seem to have been killed.
  LinkMessage message;
  while (!link->over() && receive_link(job.link.get(), message) && message.kind != LinkKind::Ended) {
  }
  job.ring.let_go();
  return {};
}

// pid 1 makes what becomes the program while the supervisor asks, and a tracer finds only who is there.
// Should nobody come the source has its own words for it.
void await_program(int init) {
  constexpr int kPatience = 2500;
  const timespec pause{0, 2'000'000};
  for (int i = 0; i < kPatience && watch::tree_of(init).size() < 2 && ::kill(init, 0) == 0; i++)
    nanosleep(&pause, nullptr);
}

// A name that nobody chose gets another ending where a group of that name was left behind.
Status take_name(Job& job, std::string_view name) {
  if (name.empty() || job.spec.name == name) return {};
  job.spec.name = name;
  return job.trace ? job.trace->retarget("jail " + job.spec.name) : Status();
}

Status attach(Job& job, int init) {
  if (job.kind == nullptr) return {};
  await_program(init);
  watch::Target target;
  target.shown = "jail " + job.spec.name;
  target.roots = {init};
  target.init = init;
  target.stops_for_tracer = job.ring.go() == CallsGo::ToTracer;
  auto source = job.kind->attach(target, job.level);
  if (!source) return tl::unexpected<Error>(std::move(source.error()));
  job.attached = std::move(*source);
  return {};
}

// Waits for the supervisor to say who is about to run; false: nobody will be.
bool hear_of_start(Job& job) {
  LinkMessage message;
  UniqueFd init;
  while (receive_link(job.link.get(), message, &init)) {
    if (init) job.init = std::move(init);
    if (message.kind != LinkKind::Starts) return message.kind == LinkKind::Runs;
    LinkMessage answer;
    answer.kind = LinkKind::Ready;
    Status attached = take_name(job, message.said());
    if (attached) attached = attach(job, message.pid);
    if (!attached) {
      const Error& error = attached.error();
      answer.kind = LinkKind::Refused;
      answer.say(error.what + "\n" + error.why + "\n" + error.how);
    }
    if (!send_link(job.link.get(), answer)) return false;
  }
  return false;
}

int finish(Status done) {
  if (done) return 0;
  std::string text = format(done.error());
  if (terminal_is_raw(2)) {
    std::string lines;
    for (char c : text) lines += c == '\n' ? std::string("\r\n") : std::string(1, c);
    text = lines;
  }
  (void)write_fd(2, text, "stderr");
  return exit_status(done.error().code);
}

// What ends the jail is for the supervisor; the watcher ends when there is nothing more to be seen.
void ignore_signals() {
  for (int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU})
    signal(number, SIG_IGN);
}

[[noreturn]] void read_ring(Job& job, pid_t keeper) {
  prctl(PR_SET_NAME, "immure-watcher");
  job.keeper = static_cast<int>(syscall(SYS_pidfd_open, keeper, 0));
  if (job.keeper < 0 || getppid() != keeper) _exit(exit_status(Code::kSystem));
  if (!hear_of_start(job)) {
    take_away_files(job);
    _exit(0);
  }
  _exit(finish(watch_it(job)));
}

[[noreturn]] void keep(Job& job) {
  prctl(PR_SET_NAME, "immure-keeper");
  ignore_signals();
  let_go_of_descriptors(job);
  const pid_t self = getpid();
  const pid_t reader = fork();
  if (reader == 0) read_ring(job, self);
  int status = 0;
  while (reader > 0 && waitpid(reader, &status, 0) < 0 && errno == EINTR) {
  }
  if (reader > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) _exit(0);
  // The supervisor ends the jail, and says when nothing more can come.
  LinkMessage gone;
  if (send_link(job.link.get(), gone)) {
    LinkMessage message;
    while (receive_link(job.link.get(), message) && message.kind != LinkKind::Ended) {
    }
  }
  if (reader > 0 && WIFEXITED(status)) _exit(WEXITSTATUS(status));  // it has said why, and would again
  job.again = true;
  // A trace that was not ended is not gone on with: what is left is one of its own.
  if (job.trace)
    if (Status begun = begin_trace(job, job.spec.watch.trace.value + ".rest"); !begun)
      finish(std::move(begun));
  UniqueFd none;
  std::swap(none, job.link);
  _exit(finish(watch_it(job)));
}

Result<UniqueFd> above(int fd, int least) {
  UniqueFd copy(fcntl(fd, F_DUPFD, least));
  if (!copy)
    return fail(Code::kSystem, "the jail cannot be watched", "no descriptor is left",
                "raise the limit of open files", {}, errno);
  return copy;
}

}  // namespace

Result<WatchHandles> begin_watch(const JailSpec& spec, int least) {
  WatchHandles handles;
  if (!spec.watch.wanted()) return handles;
  Job job;
  job.spec = spec;
  // As the start binary will name it, which this process becomes (run/run.cc).
  if (job.spec.name.empty()) job.spec.name = "jail-" + num_signed(getpid());
  auto level = level_of(spec);
  if (!level) return tl::unexpected<Error>(std::move(level.error()));
  job.level = *level;
  auto kind = source_of(spec, job.level);
  if (!kind) return tl::unexpected<Error>(std::move(kind.error()));
  job.kind = *kind;
  const CallsGo go = go_of(spec, job);
  auto ring = CallRing::make(watch::capture_table(job.level, go));
  if (!ring) return tl::unexpected<Error>(std::move(ring.error()));
  job.ring = std::move(*ring);
  auto known = known_work(spec.watch.baseline.value, spec.watch.expect);
  if (!known)
    return of_word(spec, spec.watch.baseline.value.empty() ? Field::WatchExpect : Field::WatchBaseline,
                   std::move(known.error()));
  job.known = std::move(*known);
  if (const std::string note = not_weighed(job.known.get(), job.level); !note.empty())
    dprintf(2, "immure: %s\n", note.c_str());
  auto json = new_file(spec, spec.watch.json, Field::WatchJson, "--watch-json");
  if (!json) return tl::unexpected<Error>(std::move(json.error()));
  job.json = std::move(*json);
  IMMURE_TRY(begin_trace(job, spec.watch.trace.value));
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return fail(Code::kSystem, "the jail cannot be watched", "no socket pair can be made",
                "raise the limit of open files", {}, errno);
  UniqueFd link(pair[0]);
  job.link.reset(pair[1]);
  const pid_t keeper = fork();
  if (keeper < 0)
    return fail(Code::kSystem, "the jail cannot be watched", "no process can be made", {}, {}, errno);
  if (keeper == 0) {
    link.reset();
    keep(job);
  }
  job.link.reset();
  handles.word = "--watch-fds";
  for (int fd : {job.ring.memory(), job.ring.written(), job.ring.room(), link.get()}) {
    auto copy = above(fd, least);
    if (!copy) return tl::unexpected<Error>(std::move(copy.error()));
    handles.word += (handles.fds.empty() ? "=" : ":") + num_signed(copy->get());
    handles.fds.push_back(std::move(*copy));
  }
  return handles;
}

}  // namespace immure::cli
