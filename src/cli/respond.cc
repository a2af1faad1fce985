#include "cli/respond.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/text.h"
#include "cli/jail_state.h"
#include "cli/verbs.h"
#include "respond/halt.h"
#include "respond/snapshot.h"

namespace immure::cli {
namespace {

using respond::Target;

constexpr std::string_view kHelp =
    "Usage: immure respond JAIL|--pid N freeze|thaw|snapshot|report|kill [OPTION]…\n"
    "\n"
    "What is done when a jail misbehaves. JAIL is one of immure ps; --pid N is any process,\n"
    "whoever started it: with all of its pid namespace, or with its descendants where it has\n"
    "the pid namespace of the host.\n"
    "\n"
    "  freeze     stop all its processes, by its own control group where it has one\n"
    "  thaw       let them go on\n"
    "  snapshot   one archive with processes, descriptors, memory maps, sockets, names of the\n"
    "             environment, control group, changed files and the last events, with digests;\n"
    "             nothing of the jail is executed, and it is held still meanwhile\n"
    "  report     a few lines: its processes, and how much they use\n"
    "  kill       end all of them\n"
    "\n"
    "Options of snapshot:\n"
    "  -o, --output FILE   default: ./immure-snapshot-TIME.tar.zst; never written over\n"
    "      --running       do not hold the processes still\n"
    "      --contents      keep what changed files contain, not only their digests\n"
    "      --trace FILE    the last events of this trace (immure watch --trace)\n"
    "      --events N      how many of them; default 10000\n"
    "      --json          one document\n";

// The jail or the process that was named; `act` is what to do with it.
struct Asked {
  Target target;
  std::string act;
};

constexpr std::string_view kActs[] = {"freeze", "thaw", "snapshot", "report", "kill"};

Result<Target> named(const Flags& flags, std::span<const std::string_view> names) {
  if (flags.has("--pid")) {
    const auto pid = parse_u64(flags.value("--pid"));
    if (!pid || *pid == 0 || *pid > 1U << 30)
      return fail(Code::kBadValue, quoted(flags.value("--pid")) + " is no process", "a number is expected",
                  "immure respond --pid 4711 report", "--pid");
    return Target::of_process(static_cast<int>(*pid), "process " + num(*pid));
  }
  auto state = find_jail(names[0]);
  if (!state) return tl::unexpected<Error>(std::move(state.error()));
  return Target::of_process(state->init.pid, "jail " + state->name);
}

Result<Asked> asked(const Flags& flags) {
  const size_t expected = flags.has("--pid") ? 1 : 2;
  if (flags.words.size() != expected)
    return fail(Code::kUsage,
                flags.words.size() < expected ? "respond needs a jail and what to do"
                                              : "respond takes one jail and one thing to do",
                {}, "immure respond JAIL snapshot; immure respond --pid 4711 kill");
  const std::string_view act = flags.words.back();
  if (std::find(std::begin(kActs), std::end(kActs), act) == std::end(kActs)) {
    const std::string_view near = nearest(act, kActs);
    return fail(Code::kUsage, quoted(act) + " is nothing that respond does",
                near.empty() ? "" : "did you mean " + std::string(near) + "?",
                "freeze, thaw, snapshot, report or kill");
  }
  auto target = named(flags, flags.words);
  if (!target) return tl::unexpected<Error>(std::move(target.error()));
  return Asked{std::move(*target), std::string(act)};
}

std::string processes(size_t count) { return num(count) + (count == 1 ? " process" : " processes"); }

Status freeze_target(const Target& target) {
  auto halted = respond::stop(target);
  if (!halted) return tl::unexpected<Error>(std::move(halted.error()));
  return say(
      printable(target.shown()) + ": frozen, " + processes(halted->count) +
      (halted->how == respond::How::Group
           ? ", by the control group\n"
           : ", by SIGSTOP to each: weaker, since it has no control group of its own that can be frozen\n"));
}

std::string default_name() {
  const time_t now = time(nullptr);
  tm parts{};
  gmtime_r(&now, &parts);
  char text[64];
  return {text, strftime(text, sizeof text, "immure-snapshot-%Y%m%dT%H%M%SZ.tar.zst", &parts)};
}

std::string json_of(const Target& target, const respond::Snapshot& taken, const std::string& file) {
  JsonWriter json;
  json.begin_object().text("schema", "immure.respond/1").text("target", target.shown()).text("archive", file);
  json.text("sha256", taken.digest).number("members", static_cast<int64_t>(taken.members.size()));
  json.number("parts", static_cast<int64_t>(taken.parts)).text("held_still_by", taken.held);
  json.number("changed_files", static_cast<int64_t>(taken.changed))
      .number("events", static_cast<int64_t>(taken.events));
  json.begin_array("missing");
  for (const respond::Missing& missing : taken.missing)
    json.begin_object().text("part", missing.part).text("why", missing.why).end_object();
  return json.end_array().end_object().str() + "\n";
}

Status snapshot_of(const Target& target, const Flags& flags) {
  respond::SnapshotWish wish;
  wish.file = flags.value("--output", flags.value("-o"));
  if (wish.file.empty()) wish.file = default_name();
  wish.still = !flags.has("--running");
  wish.contents = flags.has("--contents");
  wish.trace = flags.value("--trace");
  if (flags.has("--events")) {
    const auto count = parse_u64(flags.value("--events"));
    if (!count || *count > 10'000'000)
      return fail(Code::kBadValue, quoted(flags.value("--events")) + " is no number of events", {},
                  "a number up to 10000000", "--events");
    wish.events = *count;
  }
  // What is held still must not stay so: the end waits until it goes on again.
  sigset_t until_done, before;
  sigemptyset(&until_done);
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP}) sigaddset(&until_done, number);
  sigprocmask(SIG_BLOCK, &until_done, &before);
  auto taken = respond::take_snapshot(target, wish);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  if (!taken) return tl::unexpected<Error>(std::move(taken.error()));
  if (flags.has("--json")) return say(json_of(target, *taken, wish.file));
  std::string text = printable(target.shown()) + ": " + processes(taken->members.size()) + " in " +
                     num(taken->parts) + " parts, " + num(taken->changed) + " changed files, " +
                     num(taken->events) + " events\n" + printable(wish.file) + "\nsha256 " + taken->digest +
                     "\n";
  if (taken->held.empty())
    text += "It ran meanwhile: parts may disagree.\n";
  else if (taken->held == "signals")
    text += "It was held still by signals, which are weaker than a control group.\n";
  constexpr size_t kShown = 8;
  for (size_t i = 0; i < taken->missing.size() && i < kShown; ++i)
    text += "missing: " + taken->missing[i].part + " (" + taken->missing[i].why + ")\n";
  if (taken->missing.size() > kShown)
    text +=
        "and " + num(taken->missing.size() - kShown) + " more that are missing; summary.json lists them\n";
  return say(text);
}

Status report_of(const Target& target, const Flags& flags) {
  const std::vector<respond::Member> members = target.members();
  if (members.empty())
    return fail(Code::kNoJail, quoted(target.shown()) + " has ended", {}, "immure ps lists jails that run");
  const std::string group = target.own_group();
  if (flags.has("--json")) {
    JsonWriter json;
    json.begin_object()
        .text("schema", "immure.respond/1")
        .text("target", target.shown())
        .text("group", group);
    json.begin_array("members");
    for (const respond::Member& member : members)
      json.begin_object()
          .number("pid", member.pid)
          .number("parent", member.parent)
          .text("name", member.name)
          .text("state", std::string(1, member.state))
          .end_object();
    return say(json.end_array().end_object().str() + "\n");
  }
  std::string text = printable(target.shown()) + ": " + processes(members.size()) + ", " +
                     (target.extent() == respond::Extent::PidNamespace
                          ? "all of a pid namespace"
                          : "found as descendants: what lost its parent is not here") +
                     "\n";
  for (const respond::Member& member : members)
    text += "  " + num_signed(member.pid) + "  " + std::string(1, member.state) + "  " +
            printable(member.name) + "\n";
  text += group.empty() ? "No control group of version 2 holds exactly these: it is frozen by signals.\n"
                        : "Its control group: " + printable(group) + "\n";
  return say(text + "More: immure audit --pid " + num_signed(target.pid()) + "; immure inspect --pid " +
             num_signed(target.pid()) + "\n");
}

}  // namespace

Result<int> respond(std::span<char* const> args) {
  static constexpr Flags::Known kFlags[] = {
      {"--pid", true},   {"--output", true}, {"-o", true}, {"--running"}, {"--contents"},
      {"--trace", true}, {"--events", true}, {"--json"},   {"--help"},    {"-h"}};
  Flags flags{kFlags, "respond"};
  IMMURE_TRY(flags.parse(args));
  if (flags.has("--help") || flags.has("-h")) {
    IMMURE_TRY(say(kHelp));
    return 0;
  }
  auto what = asked(flags);
  if (!what) return tl::unexpected<Error>(std::move(what.error()));
  const Target& target = what->target;
  if (what->act == "freeze") IMMURE_TRY(freeze_target(target));
  if (what->act == "snapshot") IMMURE_TRY(snapshot_of(target, flags));
  if (what->act == "report") IMMURE_TRY(report_of(target, flags));
  if (what->act == "thaw") {
    IMMURE_TRY(respond::thaw(target));
    IMMURE_TRY(say(printable(target.shown()) + ": thawed\n"));
  }
  if (what->act == "kill") {
    auto count = respond::end(target);
    if (!count) return tl::unexpected<Error>(std::move(count.error()));
    IMMURE_TRY(say(printable(target.shown()) + ": ended, " + processes(*count) + "\n"));
  }
  return 0;
}

}  // namespace immure::cli
