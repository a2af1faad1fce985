// `immure run` when it takes more than the start binary knows: a page of help, a plan that is only shown, profiles
// in files, a filter in JSON. What was read is handed to the start binary, which then does the start itself.
#pragma once

#include "base/result.h"
#include "cli/verbs.h"

namespace immure::cli {

Result<int> run(const Invocation& call);

}  // namespace immure::cli
