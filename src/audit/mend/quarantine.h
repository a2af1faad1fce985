// A folder beside a root, on its file system, that only its owner may enter: for what is taken out of the
// tree, and for the originals of what was copied. Names go in and out by rename(2) alone.
#pragma once

#include <string>

#include "audit/mend/journal.h"
#include "audit/mend/node.h"

namespace immure::audit::mend {

// The content of an open file from its start; does not change its access time where the caller may ask for
// that. `fd` may be O_PATH.
Result<Digest> content_of(int fd, std::string_view shown_as);
// Opens what an O_PATH descriptor holds, a regular file, for reading; no access time where that is possible.
Result<UniqueFd> open_again(int path_fd, std::string_view shown_as);

// A copy of the regular file `from` (O_PATH) under a new name in `folder`, with its content, and with its
// owner, mode, attributes and times but for what `change` says. On the disk when it returns. Holes stay
// holes. `digest` is of what was copied. Errors: kMissingSource when it changed meanwhile, kSystem.
struct Copied {
  Digest digest{};
  uint64_t inode = 0;
};
Result<Copied> copy_file(int from, const Node& before, const Change& change, int folder,
                         const std::string& name, std::string_view shown_as);

// Sets what `change` says on a file (O_PATH), the powers first taken, then the rest.
Status set_attributes(int fd, const Node& now, const Change& change, std::string_view shown_as);

}  // namespace immure::audit::mend
