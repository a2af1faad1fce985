#include "probes/probe.h"

namespace immure::probes {

// One a file of this folder; capabilities has two groups.
std::span<const Probe> planted_programs();
std::span<const Probe> capabilities();
std::span<const Probe> capability_sets();
std::span<const Probe> identity();
std::span<const Probe> process_state();
std::span<const Probe> keyrings();
std::span<const Probe> own_namespaces();

std::span<const std::span<const Probe>> privilege_probes() {
  static const std::span<const Probe> kTechniques[] = {
      planted_programs(), capabilities(), capability_sets(), identity(),
      process_state(),    keyrings(),     own_namespaces(),
  };
  return kTechniques;
}

}  // namespace immure::probes
