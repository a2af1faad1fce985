// What a right of a profile costs, in the terms of `immure prove`.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "input/options.h"

namespace immure::cli {

struct Cost {
  std::string text;              // one line
  std::vector<std::string> ids;  // of attacks
  bool measured = false;         // by running them; else read from the table of attacks: who stops what
};

// By the table: attacks that are stopped by the layer that this word opens, alone or with others.
Cost cost_by_table(const Word& word);
// By trial: the battery under these options of `immure run`, and without `word`: what is blocked without it
// and is not with it. Takes as long as two batteries. Errors: kSystem when one of them could not be made.
Result<Cost> cost_by_trial(const std::vector<std::string>& with, const std::vector<std::string>& without);

}  // namespace immure::cli
