#include "cli/watch.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "base/text.h"
#include "cli/jail_state.h"
#include "cli/watch_baseline.h"
#include "cli/watch_detectors.h"
#include "cli/watch_model.h"
#include "cli/watch_words.h"
#include "kernel/sys.h"
#include "respond/react.h"
#include "run/report.h"
#include "watch/session.h"
#include "watch/sinks/json.h"
#include "watch/sinks/metrics.h"
#include "watch/sinks/text.h"
#include "watch/sinks/top.h"
#include "watch/source.h"
#include "watch/trace/writer.h"

namespace immure::cli {
namespace {

using watch::SourceKind;
using watch::Target;

Result<UniqueFd> pidfd_of(int pid) {
  const long fd = sys::call(__NR_pidfd_open, pid);
  if (!sys::failed(fd)) return UniqueFd(static_cast<int>(fd));
  return fail(Code::kNoJail, "there is no process " + num_signed(pid), {},
              "immure ps shows the jails that run", {}, static_cast<int>(-fd));
}

struct Aim {
  Target target;
  std::vector<UniqueFd> roots;
};

Result<Aim> aim_at(const WatchWish& wish) {
  Aim aim;
  if (wish.everything) {
    aim.target.shown = "every process";
    aim.target.everything = true;
    return aim;
  }
  UniqueFd root;
  if (wish.pid) {
    auto fd = pidfd_of(*wish.pid);
    if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
    root = std::move(*fd);
    aim.target.shown = "pid " + num_signed(*wish.pid);
    aim.target.roots = {*wish.pid};
  } else {
    auto state = find_jail(wish.jail);
    if (!state) return tl::unexpected<Error>(std::move(state.error()));
    auto fd = open_process(state->init, state->name);
    if (!fd) return tl::unexpected<Error>(std::move(fd.error()));
    root = std::move(*fd);
    aim.target.shown = "jail " + state->name;
    aim.target.init = state->init.pid;
    aim.target.roots = {state->init.pid};
  }
  aim.roots.push_back(std::move(root));
  return aim;
}

std::string one_line(const Error& error) {
  return error.what + (error.why.empty() ? "" : ": " + error.why) +
         (error.sys_errno != 0 ? " (" + errno_name(error.sys_errno) + ")" : "");
}

// The source that was named, or the first that can be had.
Result<std::unique_ptr<watch::Source>> attached(const WatchWish& wish, const Target& target) {
  std::string why;
  std::optional<Error> only;
  size_t tried = 0;
  for (const SourceKind& kind : watch::source_kinds()) {
    if (kind.attach == nullptr || (!wish.source.empty() && wish.source != kind.name)) continue;
    tried++;
    if (Status status = kind.available(); !status) {
      why += (why.empty() ? "" : "; ") + std::string(kind.name) + ": " + one_line(status.error());
      only = std::move(status.error());
      continue;
    }
    auto source = kind.attach(target, wish.level);
    if (source) return source;
    why += (why.empty() ? "" : "; ") + std::string(kind.name) + ": " + one_line(source.error());
    only = std::move(source.error());
  }
  if (tried == 1 && only) return tl::unexpected<Error>(std::move(*only));
  return fail(Code::kLayer, target.shown + " cannot be watched", std::move(why),
              "as root more sources can be had; immure watch --sources tells what each needs");
}

std::string sources_text() {
  std::string out;
  for (const SourceKind& kind : watch::source_kinds()) {
    const Status status = kind.available();
    out += std::string(kind.name) + "\n  sees:  " + kind.sees + "\n  costs: " + kind.costs + "\n  here:  ";
    if (status)
      out += kind.attach != nullptr ? "yes" : "yes, for immure run --watch";
    else
      out += "no, " + printable(one_line(status.error()));
    if (!status && !status.error().how.empty()) out += "\n         " + printable(status.error().how);
    out += "\n";
  }
  return out;
}

Result<std::unique_ptr<watch::Sink>> trace_sink(const WatchWish& wish, const Target& target,
                                                std::string_view source) {
  watch::TraceHead head;
  head.target = target.shown;
  head.source = source;
  head.level = watch::key(wish.level);
  utsname names{};
  if (uname(&names) == 0) {
    head.host = names.nodename;
    head.kernel = names.release;
  }
  timespec wall{}, steady{};
  clock_gettime(CLOCK_REALTIME, &wall);
  clock_gettime(CLOCK_MONOTONIC, &steady);
  auto nanos = [](const timespec& time) {
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
  };
  head.wall = nanos(wall);
  head.monotonic = nanos(steady);
  auto writer = watch::TraceWriter::create(wish.trace, std::move(head));
  if (!writer) return tl::unexpected<Error>(std::move(writer.error()));
  return std::unique_ptr<watch::Sink>(std::move(*writer));
}

// Blocked before any thread is made, so that all of them have them blocked.
UniqueFd signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return UniqueFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

Result<std::unique_ptr<watch::Sink>> shown_sink(const WatchWish& wish, const Target& target,
                                                std::string_view source) {
  if (wish.top)
    return std::unique_ptr<watch::Sink>(
        std::make_unique<watch::TopSink>(watch::TopSink::Wish{1, target.shown, std::string(source)}));
  if (wish.json)
    return std::unique_ptr<watch::Sink>(std::make_unique<watch::JsonSink>(watch::JsonSink::Wish{
        1, !wish.alerts_only, wish.kinds, target.shown, std::string(source), watch::key(wish.level)}));
  return std::unique_ptr<watch::Sink>(std::make_unique<watch::TextSink>(
      watch::TextSink::Wish{1, run::use_colour(1), !wish.alerts_only, wish.kinds}));
}

// Nobody for a watch of everything: then it is the process that raised the alert, with what belongs to it.
Result<std::optional<respond::Target>> acts_on(const Target& target) {
  if (target.roots.empty()) return std::optional<respond::Target>();
  auto found = respond::Target::of_process(target.roots[0], target.shown);
  if (!found) return tl::unexpected<Error>(std::move(found.error()));
  return std::optional<respond::Target>(std::move(*found));
}

Result<int> watched(const WatchWish& wish) {
  Result<Aim> aim = aim_at(wish);
  if (!aim) return tl::unexpected<Error>(std::move(aim.error()));
  auto known = known_work(wish.baseline, wish.expect);
  if (!known) return tl::unexpected<Error>(std::move(known.error()));
  if (const std::string note = not_weighed(known->get(), wish.level); !note.empty())
    dprintf(2, "immure: %s\n", note.c_str());
  UniqueFd ending = signals();
  auto source = attached(wish, aim->target);
  if (!source) return tl::unexpected<Error>(std::move(source.error()));
  const std::string name((*source)->name());

  watch::Session::Parts parts;
  auto shown = shown_sink(wish, aim->target, name);
  if (!shown) return tl::unexpected<Error>(std::move(shown.error()));
  parts.sinks.push_back(std::move(*shown));
  if (!wish.trace.empty()) {
    auto trace = trace_sink(wish, aim->target, name);
    if (!trace) return tl::unexpected<Error>(std::move(trace.error()));
    parts.sinks.push_back(std::move(*trace));
  }
  if (!wish.metrics.empty())
    parts.sinks.push_back(std::make_unique<watch::MetricsSink>(wish.metrics, aim->target.shown));
  if (!wish.reactions.empty()) {
    auto whom = acts_on(aim->target);
    if (!whom) return tl::unexpected<Error>(std::move(whom.error()));
    parts.sinks.push_back(std::make_unique<respond::React>(wish.reactions, std::move(*whom)));
  }
  parts.sources.push_back(std::move(*source));
  parts.detectors = watch::detectors();
  parts.expected = known->get();
  parts.ask = watch::process_now;
  parts.roots = std::move(aim->roots);
  parts.signals = ending.get();
  parts.time = wish.time;
  watch::Session session(std::move(parts));
  for (int32_t root : aim->target.roots) {
    watch::Process first = watch::process_now(root);
    first.first = true;
    session.add(std::move(first));
  }
  if (!wish.json && !wish.top && isatty(2) == 1)
    dprintf(2, "immure: watching %s by %s, level %s; Ctrl-C ends it\n", printable(aim->target.shown).c_str(),
            name.c_str(), watch::key(wish.level));
  auto end = session.run();
  if (!end) return tl::unexpected<Error>(std::move(end.error()));
  return 0;
}

Result<int> model_verb(const Invocation& call) {
  Invocation rest = call;
  rest.args = call.args.subspan(1);
  ++rest.first_index;
  for (std::string_view argument : rest.args)
    if (argument == "--help" || argument == "-h") {
      IMMURE_TRY(say(watch_model_help()));
      return 0;
    }
  return std::string_view(call.args[0]) == "train" ? watch_train(rest) : watch_score(rest);
}

}  // namespace

Result<int> watch_verb(const Invocation& call) {
  const std::string_view word = call.args.empty() ? std::string_view() : call.args[0];
  if (is_model_word(word)) return model_verb(call);
  Result<WatchWish> wish = read_watch_wish(call.args);
  if (!wish) return tl::unexpected<Error>(std::move(wish.error()));
  if (wish->list) return list_detectors(wish->json);
  if (!wish->explain.empty()) return explain_detector(wish->explain);
  if (wish->help || wish->sources) {
    IMMURE_TRY(say(wish->help ? watch_help() : sources_text()));
    return 0;
  }
  return watched(*wish);
}

}  // namespace immure::cli
