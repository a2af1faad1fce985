// Whether a word is a time that systemd understands behind OnCalendar=.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace immure::cli {

// Asks systemd-analyze where it is installed; else refuses what obviously is none. kBadValue, with the word's
// origin. A good one may have spaces: "Sat 04:00". Source: systemd.time(7).
Status check_calendar(const std::string& spec);

// Pure: what is no schedule whatever systemd this host has. What it lets pass may still be none.
bool may_be_calendar(std::string_view spec);
// The answer of `systemd-analyze calendar`; false as well when it cannot be asked, which `asked` tells.
bool systemd_takes(const std::string& program, const std::string& spec, bool& asked);

}  // namespace immure::cli
