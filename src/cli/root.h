// `immure root status|verify|refresh|remove DIR`: a root that immure build made, against what it was made of.
#pragma once

#include "cli/verbs.h"

namespace immure::cli {

Result<int> root(const Invocation& call);
std::string root_help();

}  // namespace immure::cli
