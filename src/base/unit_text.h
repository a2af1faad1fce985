// The text of a systemd unit: sections, continued lines, comments. No meaning is given to any key.
// Source: systemd.syntax(7).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace immure {

struct UnitLine {
  std::string section;  // "Service", without its brackets; empty before the first one
  std::string key, value;
  unsigned number = 0;  // of the line where it begins, from 1
};

// In order; lines that are neither sections nor have a "=" are left out. Takes any bytes.
std::vector<UnitLine> unit_lines(std::string_view text);

}  // namespace immure
