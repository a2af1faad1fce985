// A look through a prepared root for names of files that also have names outside it. Such a file can be read
// (and, through a grant, written) by whoever holds the other name: a hard link is a door that no mount closes.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace immure::run {

// kBadRoot with the first few names when a regular file has more links than the tree shows (S46, S48: counted by
// device and inode, never by names alone). Stays on the root's file system; follows no link.
// device and inode: of the directory that the jail shows, lest the path has come to lead elsewhere.
// remembered: a RootManifest of an earlier look; while it holds, nothing is looked through.
// to_remember: becomes the manifest of this look; stays as it is when there is none worth keeping.
Status look_for_outside_links(const std::string& root, uint64_t device, uint64_t inode, std::string_view remembered = {},
                              std::string* to_remember = nullptr);

}  // namespace immure::run
