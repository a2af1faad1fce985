// A collection becomes a tree. Built aside, in a folder of mode 0700 beside the final name, and renamed when
// all of it is there: a half-built tree never has the name, and what fails leaves nothing behind. Nothing is
// written through a link: every folder is opened by openat2 with links refused, every file is created by
// O_EXCL. Owner root (as a user: that user), no set-id bits, no file capabilities, one time for all. Sources
// are opened anew, must still be what the collection looked at, and are never linked to: a hard link shares
// the inode across the wall.
#pragma once

#include <string>

#include "base/result.h"
#include "rootfs/collection.h"
#include "rootfs/manifest.h"

namespace immure::rootfs {

struct WriteOptions {
  CopyMode mode = CopyMode::Auto;  // Auto: reflink where the file system can, else copy
  int64_t epoch = 0;               // SOURCE_DATE_EPOCH, else 0: of every entry
  Recipe recipe;
  bool replace = false;          // DIR is a root of ours: exchange, then remove the old one
  bool discard_changes = false;  // replace although something in it was changed by others
};

struct Written {
  Manifest manifest;
  uint64_t files = 0, bytes = 0, reflinked = 0;
  std::string note;  // what a person should know; empty
};

// `target`: the root's final path; what lies above it must exist. Errors: kBadRoot when it exists and is
// neither empty nor ours, kSystem with errno when writing failed (ENOSPC …), kMissingSource when a source
// changed meanwhile.
Result<Written> write_root(const Collection& collection, const Source& source, const std::string& target,
                           const WriteOptions& options);

// Whether `target` may be written: the same refusals, before anything is read.
enum class Target : uint8_t { New, Empty, Ours };
Result<Target> look_at_target(const std::string& target);

}  // namespace immure::rootfs
