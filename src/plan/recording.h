// What the supervisor of a jail that records lets go on.
#pragma once

#include <linux/seccomp.h>

#include "plan/plan.h"

namespace immure {

// Whether the plan's filter sent this call for the record alone: without recording it would have allowed it.
// False for every call when the plan does not record.
bool lets_through(const Plan& plan, const seccomp_data& call);

}  // namespace immure
