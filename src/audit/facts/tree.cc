#include "audit/facts/tree.h"

#include <fcntl.h>

#include <cerrno>

#include "base/fd.h"
#include "base/text.h"

namespace immure::audit {

Result<Tree> look_at_tree(const std::string& folder) {
  UniqueFd top(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!top) return fail(Code::kBadRoot, quoted(folder) + " cannot be audited", {}, {}, {}, errno);
  Tree tree;
  tree.path = folder;
  return tree;
}

}  // namespace immure::audit
