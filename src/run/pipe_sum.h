// What a jail's pipes and FIFOs hold, where no control group is charged for it: the kernel has no list of them, so
// the descriptors are looked through, in the procfs of sampler.h.
#pragma once

#include <cstdint>

namespace immure::run {

struct PipeUse {
  uint64_t bytes = 0;     // at most in those that were looked into, and in those that were too many for one look
  uint64_t assumed = 0;   // at most in those that could not be looked into
  int error = 0;          // an errno: the sums are too low
};

// Who has so few descriptors that full pipes behind all of them stay below `room` needs no sum. Cheap. `proc`: as for
// sum_tree().
bool could_pass_in_pipes(int proc, uint64_t room);
// Stops where there is more than `room`. Nothing is allocated, nothing in the jail is disturbed, and the work is
// bounded: what is left over is assumed to be full. Not for two threads at once.
PipeUse sum_pipes(int proc, uint64_t room);
// What one pipe of somebody without privileges holds at the most.
uint64_t most_of_pipe();

}  // namespace immure::run
