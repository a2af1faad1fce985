// What the probes of device nodes have in common.
#pragma once

#include "probes/inside.h"

namespace immure::probes {

// makedev() as a constant.
constexpr long device_number(unsigned major, unsigned minor) {
  return static_cast<long>((minor & 0xffU) | (major & 0xfffU) << 8 | (minor & ~0xffU) << 12);
}

// Opens to read, without waiting and without taking a terminal, and closes. What is busy or has no medium is
// open too: the driver has answered.
Attempt open_node(const char* path, const Probe& row);

// For devices which do something when they are opened: everything that open asks before it asks the driver.
Attempt look_at_node(const char* path, const Probe& row);

}  // namespace immure::probes
