// What was opened, as files tell that something else wrote: for `build --unused --used FILE`.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/build_trace.h"

namespace immure::cli {

// Of what `immure learn --save` wrote, a trace of a watch, the lines of its --json, or a record of
// --record-files; which of them it is, its beginning says. Files that were asked for and never had (not
// there, not allowed) are left out. kMissingSource, kBadValue: it is none of them, or not whole.
Result<OpenedFiles> used_in(const std::string& file);

}  // namespace immure::cli
