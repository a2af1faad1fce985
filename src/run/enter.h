// One more program in a running jail: launch, terminal, supervision and end, for a plan of plan/enter.h. Only this
// program ends with the supervisor; what it has left running stays in the jail and ends with the jail.
#pragma once

#include "plan/plan.h"
#include "run/run.h"
#include "spec/jail_spec.h"

namespace immure::run {

// The program's exit status, as of run_jail(). Everything that has to be said was said on stderr.
int enter_jail(const Plan& plan, const JailSpec& spec, const RunOptions& options, const Caller& caller);

}  // namespace immure::run
