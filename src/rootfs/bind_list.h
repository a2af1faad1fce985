// What is mounted where a root has no copies: files one by one, and whole folders where there would be too
// many, since each mount costs a descriptor while the jail is made. A folder brings what else lies in it on
// the source.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "rootfs/manifest.h"
#include "rootfs/source.h"

namespace immure::rootfs {

struct BindList {
  struct Mount {
    std::string source, path;
    uint64_t extra = 0;  // a folder: files that come with it and were not asked for
  };
  std::vector<Mount> mounts;  // sorted by path; none lies below another
};

inline constexpr size_t kMostMounts = 100;

// The folders that bring the least besides. Errors: kBadValue when kMostMounts cannot be met without a folder
// such as /usr/lib, which is never taken whole.
Result<BindList> bind_list(const Manifest& manifest, const Source& source);

}  // namespace immure::rootfs
