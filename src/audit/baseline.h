// An earlier report (immure.audit/1) beside what is found now: what got worse, what got better.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/audit.h"
#include "base/result.h"

namespace immure::audit {

// What is found of one jail: rule and place, and how bad.
struct Baseline {
  using Place = std::pair<std::string, std::string>;  // rule, where
  struct Jail {
    std::string kind, name;
    std::optional<int> score;            // a host has none
    std::map<Place, Severity> findings;  // without accepted ones
    std::vector<std::string> checked;    // ids of rules
  };
  std::vector<Jail> jails;
  std::string caller, kernel;
};

// kBadValue for a text that is no such document. `shown_as`: the file's name, for the error.
Result<Baseline> read_baseline(std::string_view text, std::string_view shown_as);
// The same of what is found now.
Baseline as_baseline(const Audits& audits);

struct Change {
  std::string jail, rule, where;
  std::optional<Severity> before, now;  // nothing: not found
};

struct Comparison {
  std::vector<Change> worse, better;        // the worst first
  std::vector<std::string> unseen;          // rules that found something then and could not look now
  std::vector<std::string> notes;           // of another caller or kernel, of jails that only one of them has
  std::vector<std::pair<int, int>> scores;  // then and now, of jails that had one both times
  size_t same = 0;
};

// Worse: what was not found then, or was less severe; advice is nothing. A finding that is gone is better
// only when its rule could look. A jail is known by its kind and name, a process without its number; a report
// of one jail is compared with one of one jail whatever their names. Pure.
Comparison compare(const Baseline& then, const Baseline& now);
std::string comparison_text(const Comparison& comparison, std::string_view shown_as);

}  // namespace immure::audit
