// Steps in a tree that others may be changing, or have made: below an open folder, by openat2(2) with links,
// mounts and ways out refused. Where a call answers with an int, a negative one is a negated errno.
#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "rootfs/collection.h"

namespace immure::rootfs {

// The descriptor, or -errno (and errno): ELOOP for a link in any place, EXDEV for a mount. O_CLOEXEC is
// added.
int open_within(int folder, const char* relative, int flags, unsigned mode = 0);
// The path of an entry, below the top: "/a/b" → "a/b", "/" → ".".
const char* relative_to_top(const std::string& path);

// The folders of a tree, each opened when it is asked for. One is kept: whoever goes by sorted paths asks for
// the same one again and again. What it returns is valid until the next call.
class FolderAt {
 public:
  explicit FolderAt(int top) : top_(top) {}
  int of(const std::string& path);  // the folder that `path` lies in; -errno

 private:
  int top_;
  bool known_ = false;
  std::string folder_;
  UniqueFd fd_;
};

struct Ids {
  uint32_t uid = 0, gid = 0;
  bool operator==(const Ids&) const = default;
};

// The numbers 1:3, 1:5, 1:7, 1:8 and 1:9, packed as Look::rdev has them: null, zero, full, random, urandom.
bool is_harmless_device(uint64_t rdev);

}  // namespace immure::rootfs
