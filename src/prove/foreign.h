// Somebody else's sandbox, as a command whose words are a template.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace immure::prove {

// Words of a template that stand for something. {} and {args} only as the last word.
inline constexpr std::string_view kProgramAndArgs = "{}";  // immure-probe where it is, with its arguments
inline constexpr std::string_view kArgs = "{args}";  // its arguments alone: the template says where it is
inline constexpr std::string_view kProgramFile = "{program}";  // immure-probe, a path on the host
inline constexpr std::string_view kPlantedRoot =
    "{root}";  // a root that is made for the trial, with the program in it

// The words of a command as a shell would split it, without expanding anything; or those of a well-known
// sandbox's own first example ("chroot", "docker:debian"). An error says what is missing.
Result<std::vector<std::string>> foreign_command(const std::string& text);

// The names of those, and of the kinds whose next word says which ("pid").
std::vector<std::string_view> known_sandboxes();

}  // namespace immure::prove
