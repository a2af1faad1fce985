// Who stands between the battery and one launcher. What a launcher leaves behind (the monitor of a container,
// a daemon) comes to its minder and to no other job's, and is ended with it: also when the battery itself is
// killed.
#pragma once

#include <sys/types.h>

#include <vector>

namespace immure::prove {

// The children of a process, of all its threads. A process that has gone has none.
std::vector<pid_t> children_of(pid_t pid);

// In a fork of `battery`: forks once more.
// Returns in the child, which is to become the launcher, with the signal mask of before; in the minder never:
// it ends with the launcher's status as a shell shows it, when everything below it has ended. SIGTERM, and
// the end of the battery, end the launcher.
void go_on_minded(pid_t battery);

}  // namespace immure::prove
