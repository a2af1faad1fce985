#include "learn/minimise.h"

#include <algorithm>
#include <numeric>

#include "base/text.h"

namespace immure::learn {
namespace {

struct Search {
  const Passes& passes;
  unsigned most;
  Minimal found = {};

  // Tries without [begin, end); halves what cannot go as a whole.
  Status without(size_t begin, size_t end) {
    std::vector<bool> next = found.kept;
    bool any = false;
    for (size_t at = begin; at < end; ++at) {
      any = any || next[at];
      next[at] = false;
    }
    if (!any) return {};
    if (found.trials >= most) {
      found.whole = false;
      return {};
    }
    ++found.trials;
    auto passed = passes(next);
    if (!passed) return tl::unexpected<Error>(std::move(passed.error()));
    if (*passed) {
      found.kept = std::move(next);
      return {};
    }
    if (end - begin < 2) return {};
    size_t middle = begin + (end - begin) / 2;
    IMMURE_TRY(without(begin, middle));
    return without(middle, end);
  }
};

}  // namespace

Result<Minimal> minimise(std::span<const size_t> groups, const Passes& passes, unsigned most) {
  Search search{passes, most};
  search.found.kept.assign(std::accumulate(groups.begin(), groups.end(), size_t{0}), true);
  search.found.trials = 1;
  auto passed = passes(search.found.kept);
  if (!passed) return tl::unexpected<Error>(std::move(passed.error()));
  if (!*passed)
    return fail(Code::kUsage, "the smoke command does not pass with the whole profile", {},
                "try it: immure run --profile PROFILE -- CMD");
  // A right may be needed for another alone: what that one's end makes free goes in the next round.
  for (bool smaller = true; smaller;) {
    auto before = std::count(search.found.kept.begin(), search.found.kept.end(), true);
    size_t begin = 0;
    for (size_t size : groups) {
      IMMURE_TRY(search.without(begin, begin + size));
      begin += size;
    }
    smaller = std::count(search.found.kept.begin(), search.found.kept.end(), true) < before;
  }
  return std::move(search.found);
}

}  // namespace immure::learn
