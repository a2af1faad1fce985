// `immure audit --changes FILE` and `--watch`: only what is different from the last time.
#pragma once

#include "base/result.h"
#include "cli/audit_doing.h"
#include "cli/audit_words.h"

namespace immure::cli {

// Compares with the report in the file, says what changed, and puts the new report there (0600). Without the
// file it is the first time: everything is told. 1 when something got worse.
Result<int> audit_changes(const AuditWish& wish, const AuditLook& look);
// Until SIGINT or SIGTERM, which it ends with as 0. What cannot be looked at once is told, and tried again.
Result<int> watch_audit(const AuditWish& wish, const AuditLook& look);

}  // namespace immure::cli
