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

// A place where probes run.
struct Site {
  Place place = Place::Here;
  std::vector<std::string> launcher;  // words before the program inside; empty: nothing holds it
  std::string program;                // immure-probe, as the place sees it; empty: the launcher's words name it
  std::string root;                   // of Place::Chroot; elsewhere the planted root's path, "" where it is "/"
  bool planted = false;               // the probes are told of planted things
  auto operator<=>(const Site&) const = default;
};

struct Job {
  Site site;
  std::vector<const probes::Probe*> probes;
  Seen* seen;
};

// All jobs, several at a time. `at_once` ≥ 1. False: interrupted (see Interrupt); what runs has been ended.
bool run_jobs(Yard& yard, std::vector<Job> jobs, unsigned at_once,
              const std::vector<std::string>& more_facts);

}  // namespace immure::prove
