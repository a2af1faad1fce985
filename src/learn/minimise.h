// Takes rights away by trial until none can be missed: groups first, then halves of a group that is needed,
// then one by one. Pure but for the trials, which are the caller's; the order is that of the rights, so that
// the same trials give the same result.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"

namespace immure::learn {

// Whether the smoke command passes with these rights (a truth for each).
using Passes = std::function<Result<bool>(const std::vector<bool>& kept)>;

struct Minimal {
  std::vector<bool> kept;
  unsigned trials = 0;
  bool whole = true;  // false: `most` trials were over first, and what is left may hold more to take away
};

// `groups`: how many rights each group has, in order; their sum is the number of rights. The first trial
// keeps everything: kUsage when even that does not pass. An error of a trial ends it.
Result<Minimal> minimise(std::span<const size_t> groups, const Passes& passes, unsigned most);

}  // namespace immure::learn
