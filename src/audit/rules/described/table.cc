#include "audit/rule.h"

namespace immure::audit {

std::span<const Rule* const> described_rules() { return {}; }

}  // namespace immure::audit
