// Writes the id maps of the jail's user namespace, by itself or through newuidmap(1) and newgidmap(1).
// Source: user_namespaces(7).
#pragma once

#include "base/result.h"
#include "plan/plan.h"

namespace immure::run {

Status write_maps(const Plan& plan, int pid);

}  // namespace immure::run
