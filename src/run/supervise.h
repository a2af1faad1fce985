// The loop while the program runs: signals, terminal, denied calls, limits, and the end.
#pragma once

#include "plan/plan.h"
#include "run/denied.h"
#include "run/launch.h"
#include "run/report.h"
#include "run/terminal.h"

namespace immure::run {

// Blocks the signals that the loop reads; call it before launch, so that none is lost. The descriptor of a
// signalfd(2).
Result<UniqueFd> watch_signals();

// Until the jail has ended. `jail` has ended, and its groups still exist, when this returns.
Result<Outcome> supervise(const Plan& plan, Launched& jail, int signals, Terminal* terminal, Denied* denied);

}  // namespace immure::run
