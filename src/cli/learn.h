// `immure learn`: from what a program does to a profile that lets it do that and nothing else.
#pragma once

#include "base/result.h"
#include "cli/verbs.h"

namespace immure::cli {

// The command's own status when it was run and ended badly; else 0. With --tighten: 1 when something is not
// used.
Result<int> learn_verb(const Invocation& call);

}  // namespace immure::cli
