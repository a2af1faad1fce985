#include "cli/watch_words.h"

#include <vector>

#include "base/text.h"
#include "cli/verbs.h"
#include "watch/source.h"

namespace immure::cli {
namespace {

using watch::Kind;
using watch::Level;

constexpr Flags::Known kKnown[] = {
    {"--pid", true},
    {"--all"},
    {"--level", true},
    {"--source", true},
    {"--only", true},
    {"--for", true},
    {"--top"},
    {"--trace", true},
    {"--metrics", true},
    {"--on", true},
    {"--json"},
    {"--alerts"},
    {"--sources"},
    {"--list"},
    {"--explain", true},
    {"--baseline", true},
    {"--expect", true},
    {"--help"},
    {"-h"},
};

constexpr std::string_view kHelp =
    "usage: immure watch JAIL|--pid N|--all [OPTION]…\n"
    "\n"
    "Shows what a jail, a process with its descendants, or every process does, as it\n"
    "does it: each event with time, process, program, verdict and arguments, and an\n"
    "alert with its reason for what should be looked at. It ends with its target, or\n"
    "by Ctrl-C, and the target goes on.\n"
    "\n"
    "  --level LEVEL    process   programs that start, processes that begin and end\n"
    "                   security  and what reaches for rights, mounts, namespaces,\n"
    "                             the kernel, other processes, the network (default)\n"
    "                   opens     and files that are opened, made or changed\n"
    "                   files     and every other path, that is looked at\n"
    "                   all       and every other call\n"
    "  --only KIND,…    show events of these kinds only; all are weighed. Kinds are:\n"
    "                   process file network privilege namespace mount module memory\n"
    "                   trace signal device clock ipc limit filter other\n"
    "  --alerts         show alerts, and no events\n"
    "  --for TIME       so long at most: 30s, 5m, 1h\n"
    "  --source SOURCE  where events come from; by default the first of\n"
    "                   --sources that can be had\n"
    "  --sources        which there are here, what each sees and costs\n"
    "  --list           the detectors; with --json with all that is known of them\n"
    "  --explain ID     what a detector tells, why, and which attacks it names\n"
    "  --baseline FILE  tell what ordinary work did not do: programs, paths,\n"
    "                   addresses, sequences of calls; watch train makes FILE\n"
    "  --expect PROFILE tell what is outside a profile, such as learn writes\n"
    "  --on WHAT=ACT    act on alerts: WHAT is a detector, a severity or any, ACT is\n"
    "                   log, notify, throttle, freeze, kill, command:CMD; repeatable\n"
    "  --trace FILE     write everything to a file as well, compact and sealed\n"
    "  --metrics FILE   counters for Prometheus, replaced every five seconds\n"
    "  --top            a screen that is drawn anew every second\n"
    "  --json           lines of JSON, schema immure.watch/1\n"
    "\n"
    "immure watch train and immure watch score learn what ordinary work is:\n"
    "immure watch train --help.\n";

template <class T>
std::vector<std::string_view> keys(int count) {
  std::vector<std::string_view> out;
  for (int i = 0; i < count; i++) out.emplace_back(watch::key(static_cast<T>(i)));
  return out;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> names) {
  const std::string_view near = nearest(word, names);
  if (!near.empty()) return "did you mean " + std::string(near) + "?";
  std::string out;
  for (std::string_view name : names) out += (out.empty() ? "" : ", ") + std::string(name);
  return "one of " + out;
}

Status read_target(const Flags& flags, WatchWish& wish) {
  wish.everything = flags.has("--all");
  if (flags.has("--pid")) {
    const std::string_view text = flags.value("--pid");
    const std::optional<uint64_t> pid = parse_u64(text);
    if (!pid || *pid == 0 || *pid > 1U << 30)
      return fail(Code::kBadValue, quoted(text) + " is no process", "a number is expected",
                  "immure watch --pid 4711", "--pid");
    wish.pid = static_cast<int>(*pid);
  }
  if (flags.words.size() > 1)
    return fail(Code::kUsage, "watch takes one jail, and " + num(flags.words.size()) + " are named", {},
                "immure watch --all sees them all");
  if (!flags.words.empty()) wish.jail = flags.words[0];
  const int targets = !wish.jail.empty() + wish.pid.has_value() + wish.everything;
  if (wish.sources || wish.list || !wish.explain.empty() || targets == 1) return {};
  return fail(Code::kUsage, targets == 0 ? "watch needs something to watch" : "watch takes one target", {},
              "immure watch JAIL (a name of immure ps), --pid N or --all");
}

}  // namespace

std::string watch_help() { return std::string(kHelp); }

std::string watch_flags() {
  std::string out;
  for (const Flags::Known& one : kKnown)
    if (one.name.starts_with("--")) out += (out.empty() ? "" : " ") + std::string(one.name);
  return out;
}

std::optional<Level> level_named(std::string_view name) {
  for (int i = 0; i < watch::kLevelCount; i++)
    if (name == watch::key(static_cast<Level>(i))) return static_cast<Level>(i);
  return {};
}

Result<uint32_t> kinds_named(std::string_view list) {
  const std::vector<std::string_view> names = keys<Kind>(watch::kKindCount);
  uint32_t kinds = 0;
  for (std::string_view word : split(list, ',')) {
    bool known = false;
    for (int i = 0; i < watch::kKindCount; i++)
      if (word == names[static_cast<size_t>(i)]) {
        kinds |= watch::bit(static_cast<Kind>(i));
        known = true;
      }
    if (!known)
      return fail(Code::kBadValue, quoted(word) + " is no kind of event", {}, did_you_mean(word, names),
                  "--only");
  }
  return kinds;
}

Result<WatchWish> read_watch_wish(std::span<char* const> args) {
  Flags flags{kKnown, "watch"};
  IMMURE_TRY(flags.parse(args));
  WatchWish wish;
  wish.help = flags.has("--help") || flags.has("-h");
  if (wish.help) return wish;
  wish.sources = flags.has("--sources");
  wish.list = flags.has("--list");
  wish.explain = flags.value("--explain");
  wish.json = flags.has("--json");
  wish.alerts_only = flags.has("--alerts");
  wish.top = flags.has("--top");
  wish.trace = flags.value("--trace");
  wish.metrics = flags.value("--metrics");
  wish.baseline = flags.value("--baseline");
  wish.expect = flags.value("--expect");
  if (wish.top && wish.json)
    return fail(Code::kUsage, "--top is a screen, and --json is lines", {}, "leave out one of them");
  for (const Flags::Said& said : flags.said) {
    if (said.name != "--on") continue;
    Result<respond::Reaction> reaction = respond::parse_reaction(said.value);
    if (!reaction) return tl::unexpected<Error>(std::move(reaction.error()));
    wish.reactions.push_back(std::move(*reaction));
  }
  IMMURE_TRY(read_target(flags, wish));
  if (flags.has("--level")) {
    const std::string_view name = flags.value("--level");
    const std::optional<Level> level = level_named(name);
    if (!level)
      return fail(Code::kBadValue, quoted(name) + " is no level", {},
                  did_you_mean(name, keys<Level>(watch::kLevelCount)), "--level");
    wish.level = *level;
  }
  if (flags.has("--only")) {
    Result<uint32_t> kinds = kinds_named(flags.value("--only"));
    if (!kinds) return tl::unexpected<Error>(std::move(kinds.error()));
    wish.kinds = *kinds;
  }
  if (flags.has("--for")) {
    wish.time = parse_duration(flags.value("--for"));
    if (!wish.time || *wish.time == 0)
      return fail(Code::kBadValue, "--for " + quoted(flags.value("--for")) + " is no time", {},
                  "write a time such as 30s, 5m or 1h", "--for");
  }
  if (flags.has("--source")) {
    std::vector<std::string_view> names;
    for (const watch::SourceKind& kind : watch::source_kinds())
      if (kind.attach != nullptr) names.emplace_back(kind.name);
    wish.source = flags.value("--source");
    if (std::find(names.begin(), names.end(), wish.source) == names.end())
      return fail(Code::kBadValue,
                  quoted(wish.source) + " is no source that running processes can be watched with", {},
                  did_you_mean(wish.source, names), "--source");
  }
  return wish;
}

}  // namespace immure::cli
