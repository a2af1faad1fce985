// What a plan says about its mounts without saying it as an ExpectedMount. Internal to verify.cc; pure but for
// is_on_this_kernel.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plan/plan.h"

namespace immure::run {

// An option of the file system that is mounted at `target`, in mountinfo's words: "size=65536k".
struct ExpectedOption {
  std::string target, option;
};
std::vector<ExpectedOption> expected_options(const Plan& plan);

// The paths of /proc that are covered, if the kernel has them. Views into the plan.
std::vector<std::string_view> expected_covers(const Plan& plan);
bool is_on_this_kernel(std::string_view proc_path);

// The time namespace's offsets, one clock a line; empty: none are set. The kernel shows the same words with other
// blanks between them, and clocks that nobody asked for.
std::string_view planned_offsets(const Plan& plan);
bool has_offsets(std::string_view shown, std::string_view planned);

}  // namespace immure::run
