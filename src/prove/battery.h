// Runs probes where they are asked to run: jobs in, observations out. A job is one process tree (a jail, a
// control); when it ends early, the rest of its probes get another one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "prove/launcher.h"
#include "prove/observe.h"
#include "prove/yard.h"

namespace immure::prove {

using Seen = std::map<const probes::Probe*, Observation>;

struct Job {
  Site site;
  std::vector<const probes::Probe*> probes;
  Seen* seen;
};

// All jobs, several at a time. `at_once` ≥ 1. False: interrupted (see Interrupt); what runs has been ended.
bool run_jobs(Yard& yard, std::vector<Job> jobs, unsigned at_once);

}  // namespace immure::prove
