// Whose process an attack is aimed at.
#pragma once

#include <sys/types.h>

#include "probes/inside.h"

namespace immure::probes {

inline constexpr char kWitness[] = "the witness";    // a process of the caller's, outside
inline constexpr char kFirst[] = "process 1";        // the first of the jail's own, where it has them
inline constexpr char kLauncher[] = "the launcher";  // who started the jail

// The process that row.word names; 0 when there is none to aim at, with the reason in `why`. Inside, the
// witness's number can be that of a process of the probe's own: such a one is none.
pid_t target_of(const Yard& yard, const Probe& row, Attempt& why);

// Like door(), for calls that name a process: that there is none is a wall, too.
Attempt door_to(const char* where, long result);

// The status line in /proc of `pid` that begins with "NAME:", as a number; -1: cannot be read.
long status_number(pid_t pid, const char* name);

}  // namespace immure::probes
