// Which processes there are already when a watch begins.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "watch/source.h"

namespace immure::watch {

// A process that was met. Its number may be another's by the time that it is used: the start tells.
struct Met {
  int32_t pid = 0;
  uint64_t began = 0;  // ticks since boot
};
// Whether it is still that one.
bool is_still(const Met& one);

// Calls `add` for each process that the target means, until a look through /proc finds nobody new: what a
// process forks while it is looked for is found by the next look. The caller itself is never among them, nor
// what it has started, but for roots of the target. `add` says whether it is new.
void each_member(const Target& target, const std::function<bool(const Met&)>& add);

// `pid` and its descendants.
std::vector<int32_t> tree_of(int32_t pid);

}  // namespace immure::watch
