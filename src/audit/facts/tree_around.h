// What is around a tree: the mount and the file system it lies on, the folders above it, what is mounted in
// it, the host's own secrets that it may hold copies of, and the manifest beside it.
#pragma once

#include <string>
#include <string_view>

#include "audit/facts/tree.h"

namespace immure::audit {

// tree.real_path and tree.mounts' paths are there; fills in what the mount table says of them.
void look_at_mounts(Tree& tree, std::string_view mountinfo);
// The folders above an open one, by "..".
void look_above(Tree& tree, int top);
// Only root can read most of it; what cannot be read stays empty.
void look_at_host_secrets(Tree& tree);
// `contents`: read every file that is in it.
void look_at_manifest(Tree& tree, bool contents);

}  // namespace immure::audit
