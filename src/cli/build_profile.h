// A profile for `immure run` that uses a root which was built: where it is, what a preset says of running it,
// and the files that it binds where nothing was copied.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "rootfs/bind_list.h"

namespace immure::cli {

// TOML. `root`: absolute. `run_words`: words of `immure run`. Errors: of those words, with `place` as their
// origin.
Result<std::string> profile_for(const std::string& root, const rootfs::BindList& binds,
                                const std::vector<std::string>& run_words, const std::string& place);

// The profile of a root in which nothing is copied, when no other name was asked for: beside the root.
std::string bind_profile(const std::string& root);
// Whether a file is one that profile_for() made, and the caller's own: it may be written again or removed.
bool is_made_profile(const std::string& path);
// Removes it, when it is.
void remove_made_profile(const std::string& path);

}  // namespace immure::cli
