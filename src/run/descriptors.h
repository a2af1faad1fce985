// What the caller's descriptors may be, since the program gets them.
#pragma once

#include "base/result.h"
#include "spec/jail_spec.h"

namespace immure::run {

// A missing one becomes /dev/null, or the next file that is opened would take its place. A directory or a disk
// there would be a way out (S35): whoever holds a directory walks by fchdir(2). An error then.
Status check_standard_descriptors();

// Those of --pass-fd: open, and no directory or disk. To be asked before this process opens anything itself.
Status check_passed_descriptors(const JailSpec& spec);
// The one that --status-fd names; -1: none.
Status check_status_descriptor(int fd);

}  // namespace immure::run
