// A whole trial: probes, the jail (or somebody else's sandbox) that they attack, and their controls.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "prove/battery.h"
#include "prove/judge.h"

namespace immure::prove {

struct Trial {
  std::string immure, probe;             // the programs, paths on the host
  std::vector<std::string> run_options;  // of `immure run`: the jail that is tried
  std::vector<std::string> against;  // a command with {} and perhaps {root}: tried instead of immure's jail
  pid_t like_process = 0;            // a running process: tried instead
  std::vector<const probes::Probe*> probes;
  unsigned at_once = 2;
};

struct Verdicts {
  std::vector<Judged> all;  // in the order of the trial's probes
  int64_t milliseconds = 0;
  int of(Verdict verdict) const;
};

// An error when nothing could be tried: canaries that cannot be made, a jail that does not start at all.
Result<Verdicts> run_trial(const Trial& trial);

}  // namespace immure::prove
