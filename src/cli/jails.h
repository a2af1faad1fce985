// Verbs for jails that run: ps, kill, freeze, thaw. Each user sees the own ones.
#pragma once

#include "base/result.h"
#include "cli/jail_state.h"
#include "cli/verbs.h"

namespace immure::cli {

// ps [--json|--names]: those that run; what is left of jails whose supervisor died is cleared away, and said.
Result<int> ps(const Invocation& call);
// kill NAME… [--signal SIG]: SIGKILL goes to pid 1 of the jail, and with it all the rest; other signals go to the
// supervisor, which hands them to the program.
Result<int> kill(const Invocation& call);
// freeze NAME…, thaw NAME…: by the control group when it can, else process by process.
Result<int> freeze(const Invocation& call);
Result<int> thaw(const Invocation& call);

// ---- the parts, for tests

// "TERM", "SIGTERM" or "15"; 0: none.
int signal_number(std::string_view text);

// Every process of the jail's pid namespace but pid 1, and the processes outside that stand over some of them
// (immure exec). Numbers as this process sees them.
struct Members {
  std::vector<int> inside, keepers;
};
Members members_of(const JailState& state, uint64_t pid_namespace);
// Stops them all, pid 1 and keepers first so that nobody is told of it, until no new one shows up; or lets them go
// on in the other order. An error when new ones keep coming.
Status stop_processes(const JailState& state);
Status continue_processes(const JailState& state);
// After pid 1 was killed in a frozen jail: its end waits for the keepers, which must be able to see it.
void release_keepers(const JailState& state);
// Is pid 1 stopped, or the group frozen?
bool is_frozen(const JailState& state);

}  // namespace immure::cli
