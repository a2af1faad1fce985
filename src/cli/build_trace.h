// What a command opens, seen once in a jail: for `--trace`, which adds it, and `--unused`, which shows the
// rest.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace immure::cli {

// Runs the command under these options of `immure run`, for a minute at most, with a record of files. The
// paths inside that were read or executed; with `looked`, also those that were only asked about. Errors:
// kSystem when the jail or the command could not be started, with what it said.
Result<std::vector<std::string>> opened_by(const std::vector<std::string>& command,
                                           const std::vector<std::string>& options, bool looked);

}  // namespace immure::cli
