// From the names that a few pieces of ordinary work had to those that the next one may have, for a baseline:
// an alert is weighed, not a right granted, so this goes further than generalise.h does. Pure.
#pragma once

#include <set>
#include <string>

#include "watch/detect/expected.h"

namespace immure::learn {

using Names = std::set<std::string, std::less<>>;

// Folders of which many names were seen, folders of such folders, and patterns of names that change. Nothing
// that is a secret, and no folder that holds one or is too wide, becomes expected because of its neighbours.
void widen(const Names& seen, watch::ExpectedPaths& paths);
// Names that change become patterns, and no folder is expected as a whole: for programs.
void keep_names(const Names& seen, watch::ExpectedPaths& paths);
// Many ports of an address, many addresses of a port, many sockets of a folder.
Names widened_hosts(const Names& seen);

}  // namespace immure::learn
