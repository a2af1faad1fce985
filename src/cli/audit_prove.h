// `immure audit --prove`: the battery of `immure prove` against the jail that is audited.
#pragma once

#include "audit/audit.h"
#include "base/result.h"
#include "cli/audit_targets.h"
#include "prove/trial.h"

namespace immure::cli {

// kUsage when there is no jail that can be attacked: the host's settings, a description of somebody else's.
Result<audit::Battery> run_battery(const Gathered& jail);
// What the verdicts come to. Pure; for tests.
audit::Battery battery_of(const prove::Verdicts& verdicts, std::string against);

}  // namespace immure::cli
