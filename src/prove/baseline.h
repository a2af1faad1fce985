// An earlier report (immure.prove/1) beside a trial of now: what got worse, what got better.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "prove/report.h"

namespace immure::prove {

struct Baseline {
  struct Attack {
    std::string id;
    Verdict verdict;
  };
  Subject subject;
  std::vector<Attack> attacks;
};

// kBadValue for a text that is no such document. `shown_as`: the file's name, for the error.
Result<Baseline> read_baseline(std::string_view text, std::string_view shown_as);

struct Change {
  std::string id;
  std::optional<Verdict> before;  // nothing: the baseline does not know it
  Verdict now;
  std::string outcome;  // outcome_text of now
};

struct Comparison {
  std::vector<Change> worse, better;
  std::vector<std::string> missing;  // ids of the baseline that were not tried now
  std::vector<std::string> notes;    // of another jail, caller or kernel
  size_t known = 0, added = 0;       // attacks in both; attacks that only now has
};

// From good to bad: blocked; not applicable and inconclusive, which are one; exposed; escaped. What the
// baseline does not know is worse only when it is exposed or escaped. Pure.
Comparison compare(const Baseline& baseline, const Verdicts& verdicts, const Subject& subject);
std::string comparison_text(const Comparison& comparison, std::string_view shown_as);

}  // namespace immure::prove
