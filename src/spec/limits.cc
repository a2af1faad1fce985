#include "spec/limits.h"

#include <algorithm>

namespace immure {

Limits default_limits(uint64_t host_memory_bytes, unsigned processors) {
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  Limits limits;
  // Half of the host: a hog in the jail dies while the host still breathes.
  limits.memory = std::max(host_memory_bytes / 2, 64 * kMiB);
  limits.pids = 512;
  limits.cpus_milli = uint64_t{1000} * std::max(processors, 1u);
  limits.file_size = 16 * kGiB;
  limits.open_files = 1024;
  // tmpfs is memory too: the jail's own limit counts it, this keeps one file system from taking all of it.
  limits.tmp_size = std::clamp(host_memory_bytes / 8, 16 * kMiB, 256 * kMiB);
  limits.cpu_time_ns = 0;
  limits.wall_time_ns = 0;
  // A program that ends slowly after the first signal is left to it, unless somebody says otherwise.
  limits.kill_after_ns = 0;
  return limits;
}

}  // namespace immure
