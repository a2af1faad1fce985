// What a command opens, seen once in a jail: for `--trace`, which adds it, and `--unused`, which shows the
// rest.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace immure::cli {

struct OpenedFiles {
  std::vector<std::string> paths;  // as the program named them
  uint64_t missing = 0;            // calls of which the file is not known
};

// Of a record of --record-files: what was read or executed; with `looked`, also what was only asked about.
Result<OpenedFiles> recorded_files(const std::string& file, bool looked);

// Runs the command under these options of `immure run`, for a minute at most, with a record of files, and
// tells what that holds. Errors: kSystem when the jail or the command could not be started, with what it
// said.
Result<OpenedFiles> opened_by(const std::vector<std::string>& command,
                              const std::vector<std::string>& options, bool looked);

}  // namespace immure::cli
