// Which argument of a denied call decides, and its name; internal to denied.
#pragma once

#include <cstdint>

namespace immure::run {

// What calls of one number are told apart by: ioctl's request, socket's family (type and protocol too for
// those that are partly allowed), the namespaces that clone asks for, prctl's option. 0 for calls that are
// not told apart.
uint64_t call_detail(uint32_t arch, uint32_t number, const uint64_t (&args)[6]);

}  // namespace immure::run
