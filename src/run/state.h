// The state file of a run: how `ps`, `exec`, `kill` and `freeze` find it, and what they clean up when it has died.
// In /run/immure for root, in $XDG_RUNTIME_DIR/immure else (0700, owned by the caller, no link). Written
// atomically; a process is named by pid and start time, so that a number that was used again is seen as such.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "plan/plan.h"
#include "run/launch.h"
#include "spec/jail_spec.h"

namespace immure::run {

// Where it is, or would be.
std::string state_place();
// The directory, made when it is not there. Refused when somebody else could have a hand in it.
Result<std::string> state_dir();
std::string state_path(const std::string& dir, const std::string& name);

// What others need to know of a jail: to show it, to end it, to enter it.
struct StateOf {
  const Plan& plan;
  const JailSpec& spec;
  const Launched& jail;
  const std::string& words;  // as input/ encodes them, without values of the environment
};
Status write_state(const std::string& path, const StateOf& state);

// Takes a name that the caller has chosen: two jails cannot have the same one. The file is then this run's.
// kState: a jail of this name runs, or has left its file.
Result<UniqueFd> take_name(const std::string& path, const std::string& name);
// What is in it until write_state(): whose it is.
Status write_claim(const UniqueFd& file, const std::string& path, const std::string& name);

// Of a filter's program, as the state file names it; empty for none.
std::string filter_digest(std::span<const sock_filter> program);

// Start time of a process in clock ticks since boot; 0 when there is none.
uint64_t start_ticks(int pid);

}  // namespace immure::run
