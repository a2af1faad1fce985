// Where immure's other programs are, for immure-full.
#pragma once

#include <string>

#include "base/result.h"

namespace immure::cli {

// "immure", "immure-probe": beside this program, or in bin/ when this one is in libexec/immure/. By the
// kernel's word, not by argv[0]. An error names both folders.
Result<std::string> own_program(const std::string& name);

}  // namespace immure::cli
