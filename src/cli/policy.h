// `immure policy`: what profiles there are, what one says, and what it comes to with everything that it extends.
#pragma once

#include "base/result.h"
#include "cli/verbs.h"

namespace immure::cli {

// policy show NAME|FILE [--resolved] [--why] [--json]
//   --resolved  also what holds because nobody said anything: the defaults on this host
//   --why       behind each value where it came from
// policy list [--json|--names]
Result<int> policy(const Invocation& call);

}  // namespace immure::cli
