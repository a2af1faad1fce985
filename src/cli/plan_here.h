// The plan of a jail on this host, from what was found by trying: what explain shows.
#pragma once

#include "base/result.h"
#include "plan/plan.h"
#include "spec/jail_spec.h"

namespace immure::cli {

// Gives the spec a name when it has none, as a run would.
Result<Plan> plan_here(JailSpec& spec, char* const* environment);

}  // namespace immure::cli
