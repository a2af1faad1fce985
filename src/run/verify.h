// The gate: what the kernel shows of pid 1 is compared with the plan before the program may start. Nothing here
// trusts what the child says of itself.
#pragma once

#include "base/result.h"
#include "plan/plan.h"

namespace immure::run {

// The namespaces that clone3 made: while the child still builds.
Status verify_early(const Plan& plan, int pid);
// Identity, capability sets, no_new_privs, mounts, groups, limits and the remaining namespaces of `pid`. The first
// difference is an error (kVerify) that names the layer and both values.
Status verify_at_gate(const Plan& plan, int pid);
// After the exec: the program runs under a filter, with no privilege. `pid` as the supervisor sees it.
Status verify_running(const Plan& plan, int pid);

}  // namespace immure::run
