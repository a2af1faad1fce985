// Where a planted thing is: in the planted folder, or in the root which that folder is in.
#pragma once

#include <cstddef>

#include "probes/inside.h"

namespace immure::probes {

// A name that begins with "/" is one of the root's; false: nothing was planted.
bool planted_path(const Yard& yard, const char* name, char* path, size_t size);
Attempt nothing_planted();

}  // namespace immure::probes
