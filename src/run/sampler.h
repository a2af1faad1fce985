// Where no control group binds the jail, the supervisor sums what its processes use, from the jail's own /proc.
#pragma once

#include <cstdint>

namespace immure::run {

struct TreeUse {
  uint64_t resident = 0;   // bytes; shared pages count once for each process: an upper bound
  uint64_t processes = 0;
  uint64_t cpu_ns = 0;     // of those that live
};

// `proc`: a directory descriptor of the jail's /proc. Nothing is allocated.
TreeUse sum_tree(int proc);

}  // namespace immure::run
