#include "run/enter.h"

#include <poll.h>

#include <optional>

#include "base/file.h"
#include "run/denied.h"
#include "run/descriptors.h"
#include "run/diagnose.h"
#include "run/launch.h"
#include "run/report.h"
#include "run/supervise.h"
#include "run/watchdog.h"

namespace immure::run {
namespace {

void say(std::string_view text) { (void)write_fd(2, text, "stderr"); }

int refuse(const Error& error) {
  say(format(error));
  return exit_status(error.code);
}

// The process that stands over the program ends it when the wire is closed; killed itself, it could not.
void hang_up(Launched& entered) {
  entered.wire.reset();
  pollfd wait{entered.pidfd.get(), POLLIN, 0};
  constexpr int kPatience = 2000;
  (void)poll(&wait, 1, kPatience);
  entered.end();
}

void tell(const Outcome& outcome, const Denied* denied, const RunOptions& options) {
  if (options.quiet) return;
  if (denied != nullptr && denied->total() != 0) say("immure: " + denied->summary() + "\n");
  DeathFacts facts;
  facts.wait_status = outcome.wait_status;
  facts.by = outcome.killed_by;
  if (denied != nullptr && !denied->calls().empty()) facts.denied_call = call_text(denied->calls().back());
  for (const Note& note : explain_death(facts)) say(format(note));
}

}  // namespace

int enter_jail(const Plan& plan, const JailSpec& spec, const RunOptions& options, const Caller& caller) {
  if (auto ok = check_standard_descriptors(); !ok) return refuse(ok.error());
  auto signals = watch_signals();
  if (!signals) return refuse(signals.error());
  // It only gives the caller's terminal back: there is nothing of ours that others would have to clear away.
  static Watched watched;
  Watchdog watchdog;
  if (plan.pty) (void)watchdog.start(&watched);   // without it only a killed immure leaves the terminal as it is
  LaunchOptions launch_options;
  launch_options.own_arguments = caller.own_arguments;
  launch_options.own_arguments_size = caller.own_arguments_size;
  auto entered = launch(plan, spec, launch_options);
  if (!entered) return refuse(entered.error().error);
  if (options.verbose)
    say("immure: in the jail " + quoted(spec.name) + "\n" + layers_text(plan, use_colour(2)));
  std::optional<Terminal> terminal;
  if (entered->terminal) {
    auto started = Terminal::start(std::move(entered->terminal), plan.pty_fds, &watched.terminal);
    if (!started) {
      hang_up(*entered);
      return refuse(started.error());
    }
    terminal.emplace(std::move(*started));
  }
  std::optional<Denied> denied;
  if (entered->listener) denied.emplace(entered->listener.get());
  auto outcome = supervise(plan, *entered, signals->get(), terminal ? &*terminal : nullptr, denied ? &*denied : nullptr, {});
  terminal.reset();
  hang_up(*entered);
  watchdog.dismiss();
  if (!outcome) return refuse(outcome.error());
  tell(*outcome, denied ? &*denied : nullptr, options);
  return outcome->exit_status();
}

}  // namespace immure::run
