// `immure report TRACE`: what a trace of `immure watch` comes to, as text, JSON or one page.
#pragma once

#include <span>

#include "base/result.h"

namespace immure::cli {

// 1: the trace was changed after it was written.
Result<int> report(std::span<char* const> args);

}  // namespace immure::cli
