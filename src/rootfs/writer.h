// A collection becomes a tree. Built aside, in a folder of mode 0700 beside the final name, and renamed when
// all of it is there: a half-built tree never has the name, and what fails leaves nothing behind. Nothing is
// written through a link: every folder is opened by openat2 with links refused, every file is created by
// O_EXCL. Owner root (as a user: that user), no set-id bits, no file capabilities, one time for all. Sources
// are opened anew, must still be what the collection looked at, and are never linked to: a hard link shares
// the inode across the wall.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "rootfs/collection.h"
#include "rootfs/manifest.h"

namespace immure::rootfs {

struct WriteOptions {
  CopyMode mode = CopyMode::Auto;  // Auto: reflink where the file system can, else copy
  int64_t epoch = 0;               // SOURCE_DATE_EPOCH, else 0: of every entry
  Recipe recipe;
  bool replace = false;  // DIR is a root of ours: exchange, then remove the old one
  // Replace although something in it was changed by others, or although it has state that the new one has no
  // place for.
  bool discard_changes = false;
  bool durable = true;  // on the disk before it has its name: one syncfs(2)
};

struct Written {
  Manifest manifest;
  uint64_t files = 0, bytes = 0, reflinked = 0;
  std::string note;  // what a person should know; empty
};

// `target`: the root's final path; what lies above it must exist, and nobody but root and the caller may move
// it. State directories of a root that is replaced are carried over. Whoever uses the old tree keeps it.
// Owners are names in the collection's /etc/passwd; as a user all is that user's, and device nodes are empty
// files; the note says so. Modes: write bits of the owner alone, but for a sticky folder that is open to all
// (01777) and the five devices (0666). Signals that end a process wait until nothing half-made is left.
// Errors: kBadRoot when it exists and is neither empty nor ours, when another process is making it, or when
// it is ours and `replace` was not said; kIds for an owner without an entry in passwd; kSystem with errno
// when writing failed (ENOSPC …) or a signal came (EINTR); kMissingSource when a source changed meanwhile.
Result<Written> write_root(const Collection& collection, const Source& source, const std::string& target,
                           const WriteOptions& options);

// The same around a tree that `make` makes itself: into `top`, an open folder that is empty, of mode 0700 and
// the caller's; it returns its entries, "/" included, sorted by path, with every mode and time set but those
// of "/". What it needs besides it makes beside the root and removes again (place.h has the names). It asks
// Holding::still_wanted() now and then.
class Place;
using MakeTree = std::function<Result<std::vector<ManifestEntry>>(const Place& place, int top)>;
Result<Written> write_made_tree(const std::string& target, const WriteOptions& options, const MakeTree& make);

// The mode that an entry gets, whatever the collection asks for: see write_root.
uint32_t mode_as_written(const Entry& entry);

// Whether `target` may be written: the same refusals, before anything is read.
enum class Target : uint8_t { New, Empty, Ours };
Result<Target> look_at_target(const std::string& target);

}  // namespace immure::rootfs
