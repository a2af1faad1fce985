// What the caller's standard descriptors may be, since the program gets them.
#pragma once

#include "base/result.h"

namespace immure::run {

// A missing one becomes /dev/null, or the next file that is opened would take its place. A directory or a disk
// there would be a way out (S35): whoever holds a directory walks by fchdir(2). An error then.
Status check_standard_descriptors();

}  // namespace immure::run
