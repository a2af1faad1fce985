// `immure prove`: the battery of attacks, in a throw-away clone of the jail that the options make or in
// somebody else's.
#pragma once

#include "base/result.h"
#include "cli/verbs.h"

namespace immure::cli {

// 0: nothing escaped; 1: something did, or (nearly) nothing was shown, or it is worse than the baseline.
Result<int> prove(const Invocation& call);

}  // namespace immure::cli
