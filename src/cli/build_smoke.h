// Whether a root that was made works, by using it: in a jail of immure's.
#pragma once

#include <string>
#include <vector>

#include "cli/build_report.h"
#include "rootfs/family.h"
#include "rootfs/manifest.h"

namespace immure::cli {

// What is to be seen at work.
struct SmokeWanted {
  std::string root;
  std::string profile;                 // instead of the root: a profile that names it
  std::vector<std::string> run_words;  // of `immure run`, besides
  std::vector<std::string> command;    // of --for; empty: none
  std::vector<const rootfs::Preset*> presets;
};

// Each program that was named: its loader is asked, inside, whether it finds everything. The command of
// --for: it ends with status 0, or is still there after ten seconds. A preset's own command. Nothing fails
// here: trouble is a result.
std::vector<Smoke> smoke(const SmokeWanted& wanted, const rootfs::Manifest& manifest);

}  // namespace immure::cli
