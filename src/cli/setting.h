// Who runs immure, and on what: for the head of a report.
#pragma once

#include <string>

namespace immure::cli {

std::string caller_text();     // "root (uid 0)"
std::string kernel_release();  // "6.18.5"

}  // namespace immure::cli
