// The parts of rights.h that are no files: one function each, for rights.cc alone.
#pragma once

#include "learn/rights.h"

namespace immure::learn {

// Calls, their arguments, capabilities.
void calls_of(const Needs& needs, Rights& rights);
// Hosts, ports, sockets of the host.
void addresses_of(const Needs& needs, const Surroundings& around, Rights& rights);

}  // namespace immure::learn
