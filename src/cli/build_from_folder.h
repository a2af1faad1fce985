// A root that is a copy of a folder: by reading, so that what is in it is a collection like any other.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/build_from.h"

namespace immure::cli {

// Files, folders and links; device nodes, FIFOs and sockets are left out, and what other file systems are
// mounted in it. Hard links become files of their own. `source`: the word, for reasons.
Result<BuiltFrom> build_from_folder(const std::string& source, const std::string& folder,
                                    const std::string& target, const FromOptions& options);

}  // namespace immure::cli
