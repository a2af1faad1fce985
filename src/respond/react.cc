#include "respond/react.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "base/file.h"
#include "base/text.h"
#include "respond/halt.h"
#include "respond/throttle.h"
#include "watch/sinks/json.h"

namespace immure::respond {
namespace {

using watch::Severity;

constexpr std::string_view kActs[] = {"log", "notify", "throttle", "freeze", "kill", "command"};
constexpr std::string_view kCommandMark = "command:";
constexpr int kSeverities = static_cast<int>(Severity::Critical) + 1;

tl::unexpected<Error> wrong(std::string_view text, std::string why) {
  return fail(
      Code::kBadValue, quoted(text) + " does not say what to do on an alert", std::move(why),
      "--on high=freeze; --on any=command:/usr/local/sbin/told; immure watch --list has the detectors",
      "--on");
}

std::string suggestion(std::string_view word, std::span<const std::string_view> all) {
  const std::string_view near = nearest(word, all);
  return near.empty() ? std::string() : "; did you mean " + std::string(near) + "?";
}

int priority(Severity severity) {
  switch (severity) {
    case Severity::Notice: return LOG_NOTICE;
    case Severity::Low: return LOG_NOTICE;
    case Severity::Medium: return LOG_WARNING;
    case Severity::High: return LOG_ERR;
    case Severity::Critical: return LOG_CRIT;
  }
  return LOG_WARNING;
}

std::string sentence(const watch::Alert& alert) {
  const char* id = alert.detector != nullptr ? alert.detector->id : "alert";
  return std::string(id) + " (" + key(alert.severity) + ") process " + num_signed(alert.pid) + ": " +
         printable(alert.why) + (alert.stopped ? " (stopped)" : "");
}

// Ticks are of the clock that counts suspended time, too.
bool began_after(const Target& target, const watch::Alert& alert) {
  timespec boot{}, steady{};
  clock_gettime(CLOCK_BOOTTIME, &boot);
  clock_gettime(CLOCK_MONOTONIC, &steady);
  const auto nanos = [](const timespec& time) {
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
  };
  const uint64_t tick = 1'000'000'000 / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  return target.began() * tick > alert.time + (nanos(boot) - nanos(steady)) + tick;
}

void tell(const std::string& text) { (void)write_fd(STDERR_FILENO, text, "standard error"); }

}  // namespace

Result<Reaction> parse_reaction(std::string_view text) {
  const size_t sign = text.find('=');
  if (sign == std::string_view::npos || sign == 0 || sign + 1 == text.size())
    return wrong(text, "ALERT=ACT is expected");
  const std::string_view alert = text.substr(0, sign), act = text.substr(sign + 1);
  Reaction reaction;
  if (alert != "any") {
    std::vector<std::string_view> names{"any"};
    bool severity = false;
    for (int i = 0; i < kSeverities; ++i) {
      names.emplace_back(key(static_cast<Severity>(i)));
      if (alert != names.back()) continue;
      reaction.least = static_cast<Severity>(i);
      severity = true;
    }
    for (const watch::Detector* detector : watch::detectors()) names.emplace_back(detector->id);
    if (!severity) {
      if (watch::find_detector(alert) == nullptr)
        return wrong(text,
                     quoted(alert) + " is neither a detector nor a severity" + suggestion(alert, names));
      reaction.detector = alert;
    }
  }
  if (act.starts_with(kCommandMark)) {
    reaction.act = Act::Command;
    reaction.command = act.substr(kCommandMark.size());
    return reaction.command.empty() ? Result<Reaction>(wrong(text, "no command is named")) : reaction;
  }
  const auto* place = std::find(std::begin(kActs), std::end(kActs), act);
  if (place == std::end(kActs))
    return wrong(text, quoted(act) + " is nothing that is done" + suggestion(act, kActs));
  if (*place == "command") return wrong(text, "the command follows a colon: command:/path/to/it");
  reaction.act = static_cast<Act>(place - std::begin(kActs));
  return reaction;
}

React::React(std::vector<Reaction> reactions, std::optional<Target> target) : target_(std::move(target)) {
  for (Reaction& reaction : reactions) rules_.push_back({std::move(reaction), {}, false});
}

React::~React() { reap(); }

Status React::event(const watch::Event& /*event*/, std::span<const uint8_t> /*record*/,
                    const watch::World& /*world*/) {
  return {};
}

Status React::alert(const watch::Alert& alert, const watch::World& world) {
  for (Rule& rule : rules_) {
    const Reaction& reaction = rule.reaction;
    const bool named = alert.detector != nullptr && reaction.detector == alert.detector->id;
    if (reaction.detector.empty() ? alert.severity < reaction.least : !named) continue;
    if (rule.last && alert.time < *rule.last + kQuiet) {
      ++kept_back_;
      continue;
    }
    rule.last = alert.time;
    if (auto done = act(rule, alert, world); !done && !rule.told) {
      rule.told = true;
      tell(format(done.error()));
    }
  }
  return {};
}

Status React::act(Rule& rule, const watch::Alert& alert, const watch::World& world) {
  switch (rule.reaction.act) {
    case Act::Log:
      syslog(LOG_AUTHPRIV | priority(alert.severity), "%s", ("immure: " + sentence(alert)).c_str());
      return {};
    case Act::Notify:
      syslog(LOG_AUTHPRIV | LOG_ALERT, "%s", ("immure: " + sentence(alert)).c_str());
      tell("\aimmure: " + sentence(alert) + "\n");
      return {};
    case Act::Command: return run_command(rule.reaction.command, watch::alert_line(alert, world) + "\n");
    case Act::Throttle:
    case Act::Freeze:
    case Act::Kill: break;
  }
  return on_target(rule, alert);
}

Status React::on_target(const Rule& rule, const watch::Alert& alert) const {
  std::optional<Target> target = target_;
  if (!target) {
    auto found = Target::of_process(alert.pid, "process " + num_signed(alert.pid));
    if (!found) return tl::unexpected<Error>(std::move(found.error()));
    if (began_after(*found, alert))
      return fail(Code::kNoJail, "the process " + num_signed(alert.pid) + " that raised an alert has ended",
                  "its number is another's by now, who is spared");
    target = std::move(*found);
  }
  const std::string shown = "immure: " + printable(target->shown());
  if (rule.reaction.act == Act::Kill) {
    auto count = respond::end(*target);
    if (!count) return tl::unexpected<Error>(std::move(count.error()));
    tell(shown + " was ended: " + sentence(alert) + "\n");
    return {};
  }
  if (rule.reaction.act == Act::Freeze) {
    auto halted = stop(*target);
    if (!halted) return tl::unexpected<Error>(std::move(halted.error()));
    tell(shown + " was frozen: " + sentence(alert) + "\n");
    return {};
  }
  auto throttled = throttle(*target);
  if (!throttled) return tl::unexpected<Error>(std::move(throttled.error()));
  tell(shown +
       (*throttled == Throttled::Group ? " has a tenth of a processor now: "
                                       : " has only idle time of the processors now: ") +
       sentence(alert) + "\n");
  return {};
}

// Its standard input is a file in memory: a command that does not read it keeps nobody waiting.
Status React::run_command(const std::string& command, const std::string& line) {
  reap();
  if (running_.size() >= kMostCommands)
    return fail(Code::kSystem, "the command " + quoted(command) + " was not started for an alert",
                num(running_.size()) + " commands of alerts are still running", "let it end sooner");
  const UniqueFd input(memfd_create("immure-alert", MFD_CLOEXEC));
  if (!input) return fail(Code::kSystem, "no file for an alert can be made", {}, {}, {}, errno);
  IMMURE_TRY(write_fd(input.get(), line, "alert"));
  lseek(input.get(), 0, SEEK_SET);
  const pid_t child = fork();
  if (child < 0)
    return fail(Code::kSystem, "the command " + quoted(command) + " could not be started", {}, {}, {}, errno);
  if (child == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    dup2(input.get(), STDIN_FILENO);
    execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  running_.push_back(child);
  return {};
}

void React::reap() {
  std::erase_if(running_, [](int pid) { return waitpid(pid, nullptr, WNOHANG) != 0; });
}

Status React::flush() {
  reap();
  return {};
}

}  // namespace immure::respond
