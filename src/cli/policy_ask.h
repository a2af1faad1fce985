// `immure policy ask`: a program in a jail, and its user, who says of what the filter denies whether it goes
// on.
#pragma once

#include "base/result.h"
#include "cli/verbs.h"

namespace immure::cli {

// The arguments behind `ask`. The program's exit status. Errors: kLayer without a terminal or a filter of
// immure's; kUsage for options that do not go with questions, or an output that is there already.
Result<int> policy_ask(const Invocation& call);
std::string policy_ask_help();

}  // namespace immure::cli
