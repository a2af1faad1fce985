// Any bytes as a group's files, as /proc/self/cgroup, and as the files of users and subordinate ids.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "kernel/cgroup.h"
#include "kernel/ids.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)immure::single_value(text);
  (void)immure::flat_value(text, "oom_kill");
  (void)immure::cpu_max_milli(text);
  uint64_t read = 0, written = 0;
  immure::sum_io_stat(text, read, written);
  immure::sum_blkio(text, read, written);
  immure::CgroupFacts facts = immure::cgroup_facts({text, "/no/such/tree", "/no/such/mountinfo"});
  if (facts.v1_writable || facts.v2_writable) std::abort();
  (void)immure::find_user(text, "root");
  (void)immure::find_group(text, 0);
  for (const auto& range : immure::find_subids(text, "anna", 1000))
    if (range.count == 0 || uint64_t{range.outside} + range.count > UINT32_MAX) std::abort();
  return 0;
}
