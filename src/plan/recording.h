// What the supervisor lets go on of a jail that records files or is watched.
#pragma once

#include <linux/seccomp.h>

#include "plan/plan.h"

namespace immure {

// Whether the plan's filter sent this call only to tell of it: the one that does not send would have allowed it.
// False for every call when the plan sends none.
bool lets_through(const Plan& plan, const seccomp_data& call);

}  // namespace immure
