// What sees the program that `immure learn` runs: a source of the room watch, at the level of all calls.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "watch/source.h"

namespace immure::cli {

// Attached to `program`, which waits, and to all that will come of it. `name`: of a source, "" for the best
// that tells the arguments of every call. Errors: kUsage for a name that there is not, kLayer when none can
// be had.
Result<std::unique_ptr<watch::Source>> learn_source(const std::string& name, int program, int init);

}  // namespace immure::cli
