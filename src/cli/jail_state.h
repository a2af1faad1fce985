// Jails that run, as their state files tell (run/state.h), and whether what they tell is still true. A process is
// named by pid and start time; a number that was used again is another process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "plan/enter.h"

namespace immure::cli {

struct ProcessRef {
  int pid = 0;
  uint64_t start_ticks = 0;
};

struct JailState {
  std::string path;        // of the file
  std::string name, boot_id, root;
  int64_t created = 0;     // seconds since 1970
  ProcessRef supervisor;
  ProcessRef init;         // pid 0: it has only taken its name so far
  std::vector<std::string> command, groups;
  std::string words;       // for decode(), without values of the environment
  std::string filter;      // digest of the program's filter; empty: none
  NamespaceIds namespaces{};  // as they were at the gate
  LandlockRules landlock;
};

// Pure: the text of a file. kState when it is none of ours.
Result<JailState> parse_jail_state(std::string_view text, std::string_view path);

// All that can be read in the directory, by name. A file that cannot is not there: it was removed meanwhile, or
// is not one of immure's.
std::vector<JailState> read_jail_states(const std::string& folder);

// Removes what supervisors left there that were killed while they wrote it; no state of a jail, dead or alive.
void clear_remains(const std::string& folder);

// Is it the process that was meant, and not dead?
bool alive(const ProcessRef& process);
// A pidfd of exactly this process; kNoJail when it is gone.
Result<UniqueFd> open_process(const ProcessRef& process, std::string_view jail);

enum class Life : uint8_t {
  Running,
  Abandoned,  // the supervisor is gone, pid 1 is not: it is being killed, or was stopped
  Dead,
};
Life life_of(const JailState& state);

// Ends what is left of a jail that is not running: pid 1, its groups, its file. Empty: all gone; else what stays.
std::string collect(const JailState& state);

// The running jail of this name: kNoJail with the nearest name when there is none.
Result<JailState> find_jail(std::string_view name);

// "unified" or "v1", as kernel/cgroup.h wants to know.
std::string_view controller_of(const std::string& group);

}  // namespace immure::cli
