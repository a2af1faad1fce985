// `immure audit --fix` and `--undo`.
#pragma once

#include "base/result.h"
#include "cli/audit_doing.h"
#include "cli/audit_words.h"

namespace immure::cli {

// Looks, shows what would be mended, asks (nobody, with --yes), mends, looks again and says what is left. 1
// when it was not done, not all of it, or something is left that counts.
Result<int> fix_tree(const AuditWish& wish, const AuditLook& look);
// 1 when something was refused.
Result<int> undo_fix(const AuditWish& wish);

}  // namespace immure::cli
