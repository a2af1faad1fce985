// A folder of the caller's own, for what decides later what a jail may do or what is in it.
#pragma once

#include <string>

namespace immure::cli {

// Makes it and its parents, 0700. False: it cannot be used: it is a link, somebody else's, or open to others.
// Of its parents nothing is asked: each must be one in which nobody else may replace the caller's names.
bool open_private_folder(const std::string& folder);

}  // namespace immure::cli
