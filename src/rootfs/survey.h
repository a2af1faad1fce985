// A look through a whole root that may be hostile, by descriptor: what `verify` tells, and what has to be
// known before a root is replaced or removed.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "rootfs/manifest.h"
#include "rootfs/upkeep.h"

namespace immure::rootfs {

struct Survey {
  std::vector<Difference> differences;  // in order of paths
  std::vector<std::string> mounts;      // over which something is mounted; not looked into
  std::vector<std::string> states;      // state directories that hold what was not written into them
};

enum class Contents : uint8_t { Compared, Trusted };

// `top`: the root, open for reading. Content of files is read only when it is to be compared.
// Errors: kBadRoot when something in it cannot be read.
Result<Survey> survey(const Manifest& manifest, int top, Contents contents);

// Somebody's work would be lost with it. What is missing, or has a name outside, is none.
bool is_change(Drift drift);

// Refuses (kBadRoot) to throw away what `found` tells of: mounts always, changes unless `discard_changes`.
// `verb`: "replaced", "removed".
Status may_be_lost(const Survey& found, const std::string& root, bool discard_changes, const char* verb);

}  // namespace immure::rootfs
