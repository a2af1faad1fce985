// What was asked of `immure audit`, read from its arguments.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/rule.h"
#include "base/result.h"
#include "cli/audit_doing.h"
#include "cli/report_files.h"

namespace immure::cli {

struct AuditWish : ReportFiles, AuditDoing {
  // What is audited, as it was said: "--pid" and "4711"; an empty flag for a word of its own. All of them are
  // parts of one jail, each looked at once.
  struct Said {
    std::string_view flag;
    std::string value;
  };
  std::vector<Said> targets;
  std::vector<std::string> only, skip;      // ids of rules
  std::string explain, baseline, suppress;  // empty: not asked for
  audit::Severity fail_on = audit::Severity::Medium;
  bool fail_on_said = false, never_fail = false;
  std::string command;  // all of it, as a shell takes it
  bool list = false, prove = false, find_links = false, verbose = false, colour = false, help = false;
};

// The flags that name a target, and all others; for completion and its test.
std::vector<std::string_view> audit_flags();

// kUsage for what does not go together; rules that are not there are errors with the nearest one.
Result<AuditWish> read_audit_wish(std::span<char* const> args);

// Of `rules` those that --only and --skip leave.
std::vector<const audit::Rule*> chosen_rules(const AuditWish& wish,
                                             const std::vector<const audit::Rule*>& rules);

}  // namespace immure::cli
