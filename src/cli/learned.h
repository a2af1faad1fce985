// What was learned before, or can be learned from what a watch wrote down.
#pragma once

#include <string>

#include "base/result.h"
#include "learn/needs.h"

namespace immure::cli {

// A trace of `immure watch`, or the lines of its --json: a run more. kMissingSource, kBadValue.
Status add_trace(const std::string& file, learn::Needs& needs);
// What `immure learn --save` wrote.
Status add_saved(const std::string& file, learn::Needs& needs);

}  // namespace immure::cli
