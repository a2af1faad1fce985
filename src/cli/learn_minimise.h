// `immure learn minimise`: a profile without what its smoke command passes without.
#pragma once

#include <span>

#include "base/result.h"

namespace immure::cli {

Result<int> learn_minimise(std::span<char* const> args);

}  // namespace immure::cli
