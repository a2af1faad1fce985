// `immure prove`: the battery of attacks, in a throw-away clone of the jail that the options make or in
// somebody else's.
#pragma once

#include "base/result.h"
#include "cli/prove_words.h"
#include "cli/verbs.h"
#include "prove/trial.h"

namespace immure::cli {

// 0: nothing escaped; 1: something did, or (nearly) nothing was shown, or it is worse than the baseline.
Result<int> prove(const Invocation& call);

// What the words ask for, before it is tried.
Result<prove::Trial> trial_of(const Wish& wish);

}  // namespace immure::cli
