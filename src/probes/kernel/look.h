// Looks at files by which the kernel tells about itself or is set up. Each goes by the row's word, a path.
#pragma once

#include "probes/probe.h"

namespace immure::probes {

// Something can be read, or listed. What a jail covers with an empty file or folder is as good as nothing:
// ENODATA.
Attempt read_some(const Yard& yard, const Probe& row);
Attempt list_some(const Yard& yard, const Probe& row);
// Opened, and closed again: nothing is written, and no message is taken from who waits for it.
Attempt open_to_read(const Yard& yard, const Probe& row);
Attempt open_to_write(const Yard& yard, const Probe& row);

}  // namespace immure::probes
