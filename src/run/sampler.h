// Where no control group binds the jail, the supervisor sums what its processes use, from a procfs of the jail's pid
// namespace that hides nobody.
#pragma once

#include <cstdint>

namespace immure::run {

struct TreeUse {
  // Bytes: what is in memory, what was swapped, and the tables for both. Shared pages count once for each process.
  uint64_t memory = 0;
  uint64_t tasks = 0;      // processes and their threads
  uint64_t cpu_ns = 0;     // of those that live, and of those that they, or pid 1, have waited for
  int error = 0;           // somebody is there who could not be read: the sums are too low
};

// `proc`: a directory descriptor of the procfs. Nothing is allocated.
TreeUse sum_tree(int proc);

// Sums of processor time, look after look. A child that nobody waits for, since its parent has the kernel reap it,
// takes what it used out of the sum: that is remembered.
class CpuTally {
 public:
  bool falls(uint64_t sum) const { return sum < last_; }
  // All that was used, as far as it was seen.
  uint64_t add(uint64_t sum) {
    if (falls(sum)) gone_ += last_ - sum;
    last_ = sum;
    return gone_ + sum;
  }

 private:
  uint64_t last_ = 0, gone_ = 0;
};

}  // namespace immure::run
