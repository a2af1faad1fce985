// Which argument of a denied call decides, and its name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace immure::run {

// What calls of one number are told apart by: ioctl's request, socket's family (type and protocol too for
// those that are partly allowed), the namespaces that clone asks for, prctl's option. 0 for calls that are
// not told apart.
uint64_t call_detail(uint32_t arch, uint32_t number, const uint64_t (&args)[6]);

// "AF_VSOCK" → 40, "TIOCSTI" → 0x5412; nullopt for a name that no argument of these calls has.
std::optional<uint64_t> argument_value(std::string_view text);
// The other way, for argument `index` of a call; empty: it has no name there.
std::string argument_name(uint32_t arch, uint32_t number, unsigned index, uint64_t value);

}  // namespace immure::run
