// `immure watch`: what a jail does, and what ordinary runs do.
#pragma once

#include "cli/verbs.h"

namespace immure::cli {

Result<int> watch(const Invocation& call);

}  // namespace immure::cli
