// Parts of the page: what is drawn.
#pragma once

#include <string>

#include "audit/audit.h"
#include "audit/score.h"

namespace immure::audit {

std::string dial(const Score& score);            // half a circle, filled so far, with the rungs
std::string points_section(const Score& score);  // point by point
// Rows that are the place of a finding are marked.
std::string tree_section(const Picture& picture, const Audit& audit);

}  // namespace immure::audit
