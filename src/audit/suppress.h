// Findings that somebody has taken upon himself, with a reason, and perhaps for a time. A file of TOML:
//
//     [[suppress]]
//     rule = "tree-set-id"
//     where = "/usr/bin/su"       # a pattern as of a shell, "*" is also of several folders; without: all
//     target = "/srv/jail"        # likewise, of the audited thing's name
//     reason = "users log in"     # required
//     until = "2027-01-31"        # the last day it counts
//
// What is accepted changes no score: the jail is no better for it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit.h"
#include "base/result.h"

namespace immure::audit {

struct Suppression {
  const Rule* rule = nullptr;
  std::string where = "*", target = "*";
  std::string reason, until;
  int64_t end = 0;    // seconds since the epoch, when it has run out; 0: never
  std::string place;  // "accepted.toml:3:1"
};

// kBadProfile for a text that is none: unknown keys and rules, no reason, a date that is none.
Result<std::vector<Suppression>> read_suppressions(std::string_view text, std::string_view shown_as);

// Marks findings as accepted. A line for each that has run out, or that suppresses nothing although its rule
// was asked. Pure.
std::vector<std::string> suppress(std::vector<Audit>& audits, const std::vector<Suppression>& all,
                                  int64_t now);

}  // namespace immure::audit
