#include "base/unit_text.h"

#include "base/text.h"

namespace immure {

std::vector<UnitLine> unit_lines(std::string_view text) {
  std::vector<UnitLine> lines;
  std::string section, line;
  unsigned number = 0, first = 0;
  for (std::string_view part : split(text, '\n')) {
    ++number;
    part = trim(part);
    // Comments stand between the parts of a continued line, too.
    if (part.starts_with('#') || part.starts_with(';')) continue;
    if (line.empty()) first = number;
    line += part;
    if (line.ends_with('\\')) {
      line.back() = ' ';
      continue;
    }
    std::string whole;
    whole.swap(line);
    if (whole.starts_with('[')) {
      section = whole.ends_with(']') ? whole.substr(1, whole.size() - 2) : whole;
      continue;
    }
    const size_t equals = whole.find('=');
    if (equals == std::string::npos) continue;
    lines.push_back({section, std::string(trim(std::string_view(whole).substr(0, equals))),
                     std::string(trim(std::string_view(whole).substr(equals + 1))), first});
  }
  return lines;
}

}  // namespace immure
