// A walk over a tree that may be hostile, by several threads, by descriptors: each folder is opened below the
// descriptor of the one that it lies in, links and mounts refused (openat2(2), RESOLVE_NO_XDEV |
// RESOLVE_NO_SYMLINKS, since Linux 5.6). No path is written while it goes: a folder knows its name and the
// folder above it. Any depth and any number of names are survived with a bounded number of descriptors: a
// folder that waits for its turn may lose its own, and is opened anew from the nearest one above that has
// one; what is found then must have the same device and inode.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "audit/facts/tree_places.h"
#include "base/fd.h"
#include "base/result.h"

namespace immure::audit {

// A folder on the walk. Lives as long as something below it is not done.
struct WalkFolder {
  WalkFolder* above = nullptr;
  std::string name;  // empty: the top
  uint32_t depth = 0;
  PlaceState place = kNowhere;
  Known known = Known::None;
  Zone zone = Zone::None;
  uint32_t kept = 0;  // whoever visits may number it; guarded by whoever does
  uint64_t device = 0, inode = 0;

  // The walk's own.
  int fd = -1;
  const WalkFolder* mark = nullptr;    // the one above at the last depth that is a power of two
  std::atomic<uint32_t> held = 1;      // by itself and by the folders in it
  std::atomic<uint32_t> unopened = 1;  // by its reader and by the folders in it that are to be opened

  std::string path() const;  // "/a/b"; "/" of the top
  std::string path_of(std::string_view entry) const;
};

// One for each thread, so nothing of it needs a lock.
class Visitor {
 public:
  virtual ~Visitor() = default;
  // A folder was opened; false: its names are not wanted.
  virtual bool enter(WalkFolder& folder, int fd, const struct statx& st) = 0;
  // A name in it that is no folder; `type` as in dirent, never DT_UNKNOWN.
  virtual void meet(WalkFolder& folder, int fd, const char* name, size_t length, uint64_t inode,
                    unsigned char type) = 0;
  // A name that could not be looked at, a folder that could not be entered. EXDEV: something is mounted on
  // it; ENOENT: it is gone.
  virtual void missed(WalkFolder& above, std::string_view name, int error) = 0;
};

struct WalkCounts {
  uint64_t names = 0, folders = 0;
};

// As many threads as visitors; the first is the caller's. `top` stays open and is the caller's.
WalkCounts walk_tree(int top, std::span<const std::unique_ptr<Visitor>> visitors);

// A name below an open folder, nothing followed; -1 and errno. O_CLOEXEC is added, and O_NOATIME where the
// caller may.
int open_below(int folder, const char* name, int flags);

}  // namespace immure::audit
