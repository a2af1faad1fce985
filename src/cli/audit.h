// `immure audit`: what is wrong with a jail that exists, whoever made it.
#pragma once

#include "base/result.h"
#include "cli/verbs.h"

namespace immure::cli {

// Writes to standard output; the value is the exit status: 1 when something was found.
Result<int> audit(const Invocation& call);

}  // namespace immure::cli
