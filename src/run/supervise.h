// The loop while the program runs: signals, terminal, denied calls, limits, and the end.
#pragma once

#include "plan/plan.h"
#include "run/asker.h"
#include "run/denied.h"
#include "run/launch.h"
#include "run/report.h"
#include "run/terminal.h"
#include "run/watcher.h"

namespace immure::run {

// Blocks the signals that the loop reads; call it before launch, so that none is lost. The descriptor of a
// signalfd(2).
Result<UniqueFd> watch_signals();

struct SuperviseOptions {
  // Called once, a few milliseconds after the start: what only others need to see of a jail is done when it lives
  // long enough to be seen. An error ends the jail.
  Status (*when_alive)(void* context) = nullptr;
  void* context = nullptr;
  uint64_t alive_after_ns = 5'000'000;
  Watcher* watcher = nullptr;  // when it has gone, the jail ends
  Asker* asker = nullptr;      // the same
  bool usage = false;   // read what the control group counted even when nothing was killed
};

// Until the jail has ended. `jail` has ended, and its groups still exist, when this returns.
Result<Outcome> supervise(const Plan& plan, Launched& jail, int signals, Terminal* terminal, Denied* denied,
                          const SuperviseOptions& options);

}  // namespace immure::run
