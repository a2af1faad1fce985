// `immure version [--json]`: which immure this is, and what it was built from.
#pragma once

#include "base/result.h"
#include "cli/verbs.h"

namespace immure::cli {

Result<int> version(const Invocation& call);

}  // namespace immure::cli
