#include "probes/probe.h"

namespace immure::probes {

// One a file of this folder.
std::span<const Probe> planted_ways();
std::span<const Probe> root_changes();
std::span<const Probe> hosts_files();

std::span<const std::span<const Probe>> link_probes() {
  static const std::span<const Probe> kTechniques[] = {planted_ways(), root_changes(), hosts_files()};
  return kTechniques;
}

}  // namespace immure::probes
