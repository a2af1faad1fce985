#include "cli/jails.h"

#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "kernel/cgroup.h"
#include "kernel/sys.h"
#include "run/diagnose.h"
#include "run/state.h"

namespace immure::cli {
namespace {

// What a supervisor hands to the program (run/supervise.cc).
constexpr int kForwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP};

std::string age(int64_t created) {
  int64_t seconds = std::max<int64_t>(0, time(nullptr) - created);
  if (seconds < 120) return num_signed(seconds) + " s";
  if (seconds < 7200) return num_signed(seconds / 60) + " min";
  if (seconds < 172800) return num_signed(seconds / 3600) + " h";
  return num_signed(seconds / 86400) + " d";
}

std::string padded(std::string text, size_t width) {
  text.append(text.size() < width ? width - text.size() : 1, ' ');
  return text;
}

std::string command_line(const JailState& state) {
  std::string out;
  for (const std::string& word : state.command) out += (out.empty() ? "" : " ") + word;
  return printable(out);
}

std::optional<uint64_t> memory_of(const JailState& state) {
  for (const std::string& group : state.groups) {
    CgroupRef ref{group, group.find("/memory/") != std::string::npos ? "memory" : controller_of(group)};
    if (auto now = read_usage(std::span(&ref, 1)).memory_now) return now;
  }
  return std::nullopt;
}

std::optional<uint64_t> pids_of(const JailState& state) {
  for (const std::string& group : state.groups) {
    CgroupRef ref{group, group.find("/pids/") != std::string::npos ? "pids" : controller_of(group)};
    if (auto now = read_usage(std::span(&ref, 1)).pids_now) return now;
  }
  return std::nullopt;
}

void jail_json(JsonWriter& json, const JailState& state) {
  json.begin_object().text("name", state.name).text("state", is_frozen(state) ? "frozen" : "running");
  json.number("init_pid", state.init.pid).number("supervisor_pid", state.supervisor.pid);
  json.number("created", state.created).text("root", state.root);
  json.begin_array("command");
  for (const std::string& word : state.command) json.text({}, word);
  json.end_array().begin_array("groups");
  for (const std::string& group : state.groups) json.text({}, group);
  json.end_array();
  if (auto memory = memory_of(state)) json.number("memory", static_cast<int64_t>(*memory));
  if (auto pids = pids_of(state)) json.number("processes", static_cast<int64_t>(*pids));
  json.end_object();
}

std::string jail_line(const JailState& state) {
  auto memory = memory_of(state);
  auto pids = pids_of(state);
  return padded(state.name, 20) + padded(num_signed(state.init.pid), 9) + padded(is_frozen(state) ? "frozen" : "running", 9) +
         padded(age(state.created), 8) + padded(pids ? num(*pids) : "-", 6) + padded(memory ? format_size(*memory) : "-", 11) +
         command_line(state) + "\n";
}

struct Census {
  std::vector<JailState> running;
  std::vector<std::pair<std::string, std::string>> collected;  // name, what stays (empty: nothing)
};

Census take_census(const std::string& folder) {
  Census census;
  clear_remains(folder);
  for (JailState& state : read_jail_states(folder)) {
    Life life = life_of(state);
    if (life == Life::Running) {
      census.running.push_back(std::move(state));
      continue;
    }
    // Its supervisor lives and is about to clear it away itself, or has done so while we looked.
    if (life == Life::Dead && alive(state.supervisor)) continue;
    if (access(state.path.c_str(), F_OK) != 0) continue;
    std::string name = state.name;
    census.collected.emplace_back(name, collect(state));
  }
  return census;
}

std::string census_text(const Census& census) {
  std::string out;
  if (!census.running.empty()) out = "NAME                PID 1    STATE    AGE     PROC  MEMORY     COMMAND\n";
  for (const JailState& state : census.running) out += jail_line(state);
  return out;
}

std::string census_json(const Census& census) {
  JsonWriter json;
  json.begin_object().text("schema", "immure.ps/1").begin_array("jails");
  for (const JailState& state : census.running) jail_json(json, state);
  json.end_array().begin_array("collected");
  for (const auto& [name, rest] : census.collected) {
    json.begin_object().text("name", name).boolean("gone", rest.empty());
    json.text("left", rest).end_object();
  }
  json.end_array().end_object();
  return json.str() + "\n";
}

Status end_jail(const JailState& state) {
  auto init = open_process(state.init, state.name);
  if (!init) return tl::unexpected<Error>(std::move(init.error()));
  long r = sys::call(__NR_pidfd_send_signal, init->get(), SIGKILL, 0, 0);
  if (r < 0) return fail(Code::kSystem, "the jail " + quoted(state.name) + " cannot be ended", {}, {}, {}, static_cast<int>(-r));
  release_keepers(state);
  pollfd wait{init->get(), POLLIN, 0};
  constexpr int kPatience = 5000;
  if (poll(&wait, 1, kPatience) == 1) return {};
  return fail(Code::kSystem, "the jail " + quoted(state.name) + " does not end", "pid 1 was killed and is still there",
              "a process of it may hang in the kernel, on a network file system for instance");
}

Status signal_jail(const JailState& state, int number) {
  if (std::find(std::begin(kForwarded), std::end(kForwarded), number) == std::end(kForwarded)) {
    std::string known;
    for (int one : kForwarded) known += " " + run::signal_name(one).substr(3);
    return fail(Code::kBadValue, run::signal_name(number) + " cannot be handed to a jail", {}, "KILL, or one of" + known);
  }
  auto supervisor = open_process(state.supervisor, state.name);
  if (!supervisor) return tl::unexpected<Error>(std::move(supervisor.error()));
  long r = sys::call(__NR_pidfd_send_signal, supervisor->get(), number, 0, 0);
  if (r < 0)
    return fail(Code::kSystem, "the jail " + quoted(state.name) + " cannot be signalled", {}, {}, {}, static_cast<int>(-r));
  return {};
}

// The jails that are named, all of them found before anything is done.
Result<std::vector<JailState>> named_jails(const Flags& flags) {
  if (flags.words.empty())
    return fail(Code::kUsage, std::string(flags.verb) + " needs the name of a jail", {}, "immure ps lists them");
  std::vector<JailState> states;
  for (std::string_view name : flags.words) {
    auto state = find_jail(name);
    if (!state) return tl::unexpected<Error>(std::move(state.error()));
    states.push_back(std::move(*state));
  }
  return states;
}

constexpr uint64_t kFreezePatience = 2'000'000'000;

Status set_frozen(const JailState& state, bool frozen) {
  for (const std::string& group : state.groups)
    if (controller_of(group) == "unified") return immure::freeze({group, "unified"}, frozen, kFreezePatience);
  return frozen ? stop_processes(state) : continue_processes(state);
}

bool has_unified(const JailState& state) {
  return std::any_of(state.groups.begin(), state.groups.end(),
                     [](const std::string& group) { return controller_of(group) == "unified"; });
}

Result<int> freeze_or_thaw(const Invocation& call, bool frozen) {
  Flags flags{{}, frozen ? "freeze" : "thaw"};
  IMMURE_TRY(flags.parse(call.args));
  auto states = named_jails(flags);
  if (!states) return tl::unexpected<Error>(std::move(states.error()));
  for (const JailState& state : *states) {
    IMMURE_TRY(set_frozen(state, frozen));
    if (!has_unified(state) && frozen)
      IMMURE_TRY(say(state.name + ": frozen, by SIGSTOP to each process: weaker, since the jail has no group that can be frozen\n"));
    else
      IMMURE_TRY(say(state.name + (frozen ? ": frozen\n" : ": thawed\n")));
  }
  return 0;
}

}  // namespace

int signal_number(std::string_view text) {
  if (auto number = parse_u64(text)) return *number >= 1 && *number <= 64 ? static_cast<int>(*number) : 0;
  std::string name(text);
  for (char& c : name)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  if (!name.starts_with("SIG")) name = "SIG" + name;
  for (int number = 1; number <= 31; number++)
    if (run::signal_name(number) == name) return number;
  return 0;
}

Result<int> ps(const Invocation& call) {
  static constexpr Flags::Known kFlags[] = {{"--json"}, {"--names"}};
  Flags flags{kFlags, "ps"};
  IMMURE_TRY(flags.parse(call.args));
  if (!flags.words.empty()) return fail(Code::kUsage, "ps takes no name", quoted(flags.words[0]) + " is one more", "immure ps");
  auto folder = run::state_dir();
  if (!folder) return tl::unexpected<Error>(std::move(folder.error()));
  Census census = take_census(*folder);
  if (flags.has("--json")) {
    IMMURE_TRY(say(census_json(census)));
    return 0;
  }
  if (flags.has("--names")) {
    std::string names;
    for (const JailState& state : census.running) names += state.name + "\n";
    IMMURE_TRY(say(names));
    return 0;
  }
  IMMURE_TRY(say(census_text(census)));
  for (const auto& [name, rest] : census.collected)
    IMMURE_TRY(say("immure: the jail " + quoted(name) + " had died with its supervisor; " +
                   (rest.empty() ? "what it left is cleared away" : rest) + "\n"));
  return 0;
}

Result<int> kill(const Invocation& call) {
  static constexpr Flags::Known kFlags[] = {{"--signal", true}, {"-s", true}};
  Flags flags{kFlags, "kill"};
  IMMURE_TRY(flags.parse(call.args));
  std::string_view said = flags.value("--signal", flags.value("-s", "KILL"));
  int number = signal_number(said);
  if (number == 0)
    return fail(Code::kBadValue, quoted(said) + " is no signal", {}, "write a name such as TERM, or a number", "--signal");
  auto states = named_jails(flags);
  if (!states) return tl::unexpected<Error>(std::move(states.error()));
  for (const JailState& state : *states) {
    IMMURE_TRY(number == SIGKILL ? end_jail(state) : signal_jail(state, number));
    IMMURE_TRY(
        say(state.name + (number == SIGKILL ? ": ended\n"
                                            : ": " + run::signal_name(number) + " handed to its program\n")));
  }
  return 0;
}

Result<int> freeze(const Invocation& call) { return freeze_or_thaw(call, true); }
Result<int> thaw(const Invocation& call) { return freeze_or_thaw(call, false); }

}  // namespace immure::cli
