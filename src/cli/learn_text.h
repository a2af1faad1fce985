// What `immure learn` says on a terminal: everything that a program had a word in is printable().
#pragma once

#include <string>

#include "learn/rights.h"
#include "learn/tighten.h"

namespace immure::cli {

// --show: every item with its evidence.
std::string needs_text(const learn::Needs& needs);
// A few lines: what was seen, what is granted, what is left to decide.
std::string summary_text(const learn::Needs& needs, const learn::Rights& rights);
std::string tighten_text(const learn::Tightening& found, const std::string& profile);

}  // namespace immure::cli
