// A look through trees of the host before they become a jail's, for what no mount can close: files that also have a name
// elsewhere (a hard link), and, where the jail writes as the owner, files that lend the owner's power to who runs them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "plan/plan.h"

namespace immure::run {

// kBadRoot with the first few names when a regular file has more links than the tree shows (S46, S48: counted by
// device and inode, never by names alone). Stays on the root's file system; follows no link. The tree must be the one
// that was planned, lest the path has come to lead elsewhere.
// remembered: a RootManifest of an earlier look; while it holds, nothing is looked through.
// to_remember: becomes the manifest of this look; stays as it is when there is none worth keeping.
Status look_for_outside_links(const Tree& root, std::string_view remembered = {}, std::string* to_remember = nullptr);

// kMissingSource with the first few names when the folder (or file), or what is mounted below it, has a file
// of the owner's with a set-id bit, a file capability, or a name outside (S55, S46). What the tree names as
// kept is left out.
Status look_for_owners_power(const Tree& folder);

}  // namespace immure::run
