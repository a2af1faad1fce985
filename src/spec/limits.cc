#include "spec/limits.h"

#include <algorithm>

namespace immure {

Limits default_limits(uint64_t host_memory_bytes, unsigned processors) {
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  constexpr uint64_t kSecond = 1'000'000'000;
  Limits limits;
  // Half of the host: a hog in the jail dies while the host still breathes.
  limits.memory = std::max(host_memory_bytes / 2, 64 * kMiB);
  limits.pids = 1024;
  limits.cpus_milli = uint64_t{1000} * std::max(processors, 1u);
  limits.file_size = 16 * kGiB;
  limits.open_files = 4096;
  // tmpfs is memory too: the jail's own limit counts it, this keeps one file system from taking all of it.
  limits.tmp_size = std::clamp(host_memory_bytes / 8, 16 * kMiB, 1 * kGiB);
  limits.cpu_time_ns = 0;
  limits.wall_time_ns = 0;
  limits.kill_after_ns = 10 * kSecond;
  return limits;
}

}  // namespace immure
