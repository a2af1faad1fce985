// The limits of a jail that nobody said anything about. Here and not in plan/, so that a file that may only
// tighten can be compared with them. Pure; units as in Limits.
#pragma once

#include <cstdint>
#include <optional>

#include "spec/jail_spec.h"

namespace immure {

// Every field is set; 0 means that there is no such limit by default (times).
Limits default_limits(uint64_t host_memory_bytes, unsigned processors);

// What holds: what was said, else the default. 0: no limit.
inline uint64_t in_force(std::optional<uint64_t> said, std::optional<uint64_t> by_default) {
  return said.value_or(by_default.value_or(0));
}

}  // namespace immure
