// docs/rules.md: every rule, from the tables.
#pragma once

#include <string>

namespace immure::audit {

std::string rules_page();

}  // namespace immure::audit
