// What was asked of `immure prove`, read from its arguments.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/report_files.h"
#include "prove/report.h"

namespace immure::cli {

struct Wish : ReportFiles {
  std::vector<std::string> only, skip, run_options;
  std::string against, explain;  // empty: not asked for
  std::string baseline;          // a file to compare with
  bool list = false, ablate = false, colour = false, help = false;
};

// kUsage for what does not go together. Other words than its own are options of `immure run` and are not
// looked at.
Result<Wish> read_wish(std::span<char* const> args);

// The attacks that --only and --skip leave, at least one.
Result<std::vector<const probes::Probe*>> choose(const Wish& wish);
tl::unexpected<Error> no_such_attack(const std::string& name);

}  // namespace immure::cli
