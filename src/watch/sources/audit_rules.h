// Rules for the kernel's audit: which calls of whom it writes down, in the form in which the kernel takes
// them (struct audit_rule_data of linux/audit.h). Made from the table of calls, for both word sizes. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "watch/calls.h"

namespace immure::watch {

// Whose calls. What the kernel cannot tell apart is told apart afterwards: a scope only spares work, and has
// to hold all who are meant.
struct AuditScope {
  std::vector<std::pair<uint32_t, uint32_t>> uids;  // first and last, as the host numbers them; none: of any
  std::optional<uint32_t> session;                  // of a login
  std::vector<int32_t> not_pids, not_parents;       // processes, and children of whom
  bool everybody() const { return uids.empty() && !session; }
};

using AuditRule = std::vector<uint8_t>;

// All that a level needs, with births and ends of processes at each. `first`: before the rules that are
// there, where one of them would keep back what these ask for.
std::vector<AuditRule> audit_rules(Level level, const AuditScope& scope, std::string_view key, bool first);
// One that says of a single call of the 64-bit entry when a process, or a child of it, makes it.
AuditRule audit_test_rule(uint32_t nr, int32_t pid, bool child, std::string_view key);

// What a rule of the kernel's list is like; `rule` as AUDIT_LIST_RULES gives it.
struct AuditRuleFacts {
  uint32_t list = 0, action = 0, fields = 0;
  std::string_view key;
};
std::optional<AuditRuleFacts> audit_rule_facts(std::span<const uint8_t> rule);

}  // namespace immure::watch
