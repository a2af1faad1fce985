// The state file of a run: how `ps`, `exec`, `kill` and `freeze` find it, and what they clean up when it has died.
// In /run/immure for root, in $XDG_RUNTIME_DIR/immure else (0700, owned by the caller, no link). Written
// atomically; a process is named by pid and start time, so that a number that was used again is seen as such.
#pragma once

#include <string>

#include "base/result.h"
#include "run/launch.h"
#include "spec/jail_spec.h"

namespace immure::run {

// The directory, made when it is not there. Refused when somebody else could have a hand in it.
Result<std::string> state_dir();
std::string state_path(const std::string& dir, const std::string& name);

// `words`: the run's words as input/ encodes them, without values of the environment.
Status write_state(const std::string& path, const JailSpec& spec, const Launched& jail, const std::string& words);

// Start time of a process in clock ticks since boot; 0 when there is none.
uint64_t start_ticks(int pid);

}  // namespace immure::run
