// Controls without a jail that a host may refuse to its own root. A refusal that is not known here is a
// control that does not work.
#pragma once

#include <span>

#include "probes/probe.h"

namespace immure::prove {

struct Refusal {
  const char* id;   // of the probe whose control it is
  const char* why;  // "a kernel that is locked down": what hosts do so
};
std::span<const Refusal> refusals();
// Null: none is known.
const char* refusal_of(const probes::Probe& probe);

}  // namespace immure::prove
