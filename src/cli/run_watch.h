// `immure run --watch`, up to the start binary: chooses who sees the calls, makes the ring and the link,
// opens what is written to, and starts the watcher, which outlives this program's exec into the start binary.
//
// The watcher is two processes: one reads the ring, its keeper does nothing until that one was killed; then
// it tells the supervisor, who ends the jail, and writes out what is left. So what was committed is written
// whichever of them, or the supervisor, is killed.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "spec/jail_spec.h"

namespace immure::cli {

// What the start binary gets: descriptors at `least` or above it that an exec leaves open, and the word that
// names them.
struct WatchHandles {
  std::vector<UniqueFd> fds;
  std::string word;  // "--watch-fds=5:6:7:8"; empty: the jail is not watched
};

// Errors: a file that is there already, a source or a level that cannot be had here.
Result<WatchHandles> begin_watch(const JailSpec& spec, int least);

}  // namespace immure::cli
