// What is claimed is read back: a call that says yes and does nothing (a filter around the launcher, a kernel that
// ignores what it does not know) ends the launch with this error of its step.
#pragma once

#include <errno.h>

namespace immure::child {

inline constexpr long kNotShown = -EBADE;   // no call of a launch fails with it

}  // namespace immure::child
