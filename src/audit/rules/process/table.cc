#include "audit/rule.h"

namespace immure::audit {

std::span<const Rule* const> process_rules() { return {}; }

}  // namespace immure::audit
