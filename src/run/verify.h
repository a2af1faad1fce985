// The gate: what the kernel shows of pid 1 is compared with the plan before the program may start. Nothing here
// trusts what the child says of itself.
#pragma once

#include "base/result.h"
#include "kernel/namespaces.h"
#include "plan/plan.h"

namespace immure::run {

struct BothNamespaces {
  Namespaces own, jail;   // what cannot be seen of either differs from every plan
};

// The namespaces that clone3 made: while the child still builds.
Status verify_early(const Plan& plan, const BothNamespaces& both, NamespaceIds& seen);
// Every mount that pid 1 has: planned, and as inert as planned. When it has said MountsReady.
Status verify_mounts(const Plan& plan, int pid);
// Identity, capability sets, no_new_privs, groups, limits and the remaining namespaces of `pid`. The first
// difference is an error (kVerify) that names the layer and both values. Both write down the namespaces they saw.
Status verify_at_gate(const Plan& plan, int pid, const BothNamespaces& both, NamespaceIds& seen);
// After the exec: the program runs under a filter, with no privilege. `pid` as the supervisor sees it.
Status verify_running(const Plan& plan, int pid);

// A descriptor that only a filter which is in force gives out.
bool is_listener(int fd);
// pid 1 once it only waits: under its own filter, and, where that may be seen, with no descriptor that leads outside.
Status verify_init(const Plan& plan, int pid);

// Every descriptor of the running program that names a file: the file was given to it (0 to 2, grants, copies of
// these), or lies on a mount of the jail, as whatever it opened itself. What leaked in does not (S35, S41).
Status verify_descriptors(const Plan& plan, int pid);

}  // namespace immure::run
