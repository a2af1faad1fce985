// A root that is there, against its manifest: `immure root status`, `verify`, `refresh`, `remove`. The root
// is hostile: a program may have been root in it. It is read by descriptor, links are never followed, and
// nothing in it decides what is read outside; that is the manifest's word alone.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "rootfs/manifest.h"
#include "rootfs/source.h"

namespace immure::rootfs {

enum class Drift : uint8_t {
  Stale,     // the source has other content now (an update that is not in the root)
  Gone,      // the source is no more
  Changed,   // content inside differs from what was written
  Hidden,    // content differs while size and mtime are as written, or mtime is newer than ctime: a time that
             // lies
  Future,    // a time inside that lies in the future
  Missing,   // was written, is no more
  Added,     // is there, was not written (outside of state directories)
  Mode,      // kind, mode or owner differ
  HardLink,  // a file has more names than the root has
};

struct Difference {
  Drift drift;
  std::string path;
  std::string detail;  // "libc6 2.36-9+deb12u9 → 2.36-9+deb12u13", "mode 0755 → 04755"
  std::string package;
};

// Sources only, by their times and inodes, by content where those differ. Some 2 µs a file.
Result<std::vector<Difference>> stale(const Manifest& manifest, const Source& source);
// The tree itself, by content. Errors: kBadRoot when it cannot be read.
Result<std::vector<Difference>> differences(const Manifest& manifest, const std::string& root);
// Removes the tree and the manifest. Refuses (kBadRoot) what is no root of ours, holds a mount, or holds
// added or changed files, unless `discard_changes`. Never crosses a mount, never follows a link.
Status remove_root(const std::string& root, bool discard_changes);
// Everything below an open directory, and the directory's name in `parent`; the shared part of the above.
Status remove_tree(int parent, const std::string& name);

}  // namespace immure::rootfs
