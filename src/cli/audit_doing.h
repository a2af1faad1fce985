// What `immure audit` does beyond telling: it mends (audit_fix.h), takes that back, looks again and again
// (audit_again.h), has systemd do so (audit_timer.h).
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "audit/audit.h"
#include "base/result.h"

namespace immure::cli {

struct AuditWish;

// Words of the command line; AuditWish has them.
struct AuditDoing {
  bool fix = false, yes = false, while_running = false;
  std::string journal, undo;  // files; empty: not said
  bool watch = false;
  std::string every;    // a time, as it was said
  std::string changes;  // a file with the last report
  bool install_timer = false, remove_timer = false, print = false, daily = false, weekly = false;
  std::string on_calendar;

  bool any() const {
    return fix || !undo.empty() || watch || !changes.empty() || install_timer || remove_timer;
  }
};

// An audit of what the wish names.
using AuditLook = std::function<Result<audit::Audits>()>;

// kUsage for words that do not go together.
Status check_doing(const AuditWish& wish);
// The exit status. Only when AuditDoing::any().
Result<int> do_audit(const AuditWish& wish, const AuditLook& look);
std::string_view doing_help();  // lines of the help

}  // namespace immure::cli
