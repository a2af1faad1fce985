// The gate: what the kernel shows of pid 1 is compared with the plan before the program may start. Nothing here
// trusts what the child says of itself.
#pragma once

#include "base/result.h"
#include "plan/plan.h"

namespace immure::run {

// The namespaces that clone3 made: while the child still builds.
Status verify_early(const Plan& plan, int pid, NamespaceIds& seen);
// Every mount that pid 1 has: planned, and as inert as planned. When it has said MountsReady.
Status verify_mounts(const Plan& plan, int pid);
// Identity, capability sets, no_new_privs, groups, limits and the remaining namespaces of `pid`. The first
// difference is an error (kVerify) that names the layer and both values. Both write down the namespaces they saw.
Status verify_at_gate(const Plan& plan, int pid, NamespaceIds& seen);
// After the exec: the program runs under a filter, with no privilege. `pid` as the supervisor sees it.
Status verify_running(const Plan& plan, int pid);

// Every descriptor of the running program that is neither granted nor below 3 and names a file: the file must lie on
// a mount of the jail. What it opened itself does; what leaked in does not (S35, S41).
Status verify_descriptors(const Plan& plan, int pid);

}  // namespace immure::run
