// What `immure audit` tells a person: short first, the worst first, what is alike once.
#pragma once

#include <string>
#include <string_view>

#include "audit/audit.h"

namespace immure::cli {

struct AuditShown {
  bool colour = false;
  bool verbose = false;  // every place with its evidence, why it matters, each point of the score
};
std::string audit_text(const audit::Audits& audits, const AuditShown& shown);

}  // namespace immure::cli
