// `immure respond JAIL|--pid N freeze|thaw|snapshot|report|kill`: what is done when a jail misbehaves,
// whoever made it.
#pragma once

#include <span>

#include "base/result.h"

namespace immure::cli {

Result<int> respond(std::span<char* const> args);

}  // namespace immure::cli
