// `immure watch JAIL|--pid N|--all`: what processes do that run already, whoever started them.
#pragma once

#include "base/result.h"
#include "cli/verbs.h"

namespace immure::cli {

Result<int> watch_verb(const Invocation& call);

}  // namespace immure::cli
