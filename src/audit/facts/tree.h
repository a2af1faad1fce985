// A directory that is, or shall be, the root of a jail: one pass over it, each name looked at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace immure::audit {

struct Tree {
  std::string path;    // on the host, as the user said it
  uint64_t names = 0;  // met on the way
};

// kBadRoot when it is no directory, or cannot be read at all.
Result<Tree> look_at_tree(const std::string& folder);

}  // namespace immure::audit
