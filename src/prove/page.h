// docs/probes.md: every attack, from the tables.
#pragma once

#include <string>

namespace immure::prove {

std::string probes_page();

}  // namespace immure::prove
