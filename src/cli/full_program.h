// The other program: immure-full does what is not a start. It stands beside this one, or in libexec.
#pragma once

namespace immure::cli {

// Replaces this process by immure-full with the same arguments. Returns only when that failed, with the exit
// status 125 and the reason said.
int become_full(char* const* argv, char* const* environment);

}  // namespace immure::cli
