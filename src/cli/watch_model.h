// `immure watch train` and `immure watch score`: what ordinary traces of system calls look like, and how far
// others are from that. On plain files; src/watch/model/ is what they call.
#pragma once

#include "cli/verbs.h"

namespace immure::cli {

// The arguments behind the word train, or score.
Result<int> watch_train(const Invocation& call);
Result<int> watch_score(const Invocation& call);

}  // namespace immure::cli
