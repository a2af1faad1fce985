#include "probes/probe.h"

namespace immure::probes {

// One a file of this folder.
std::span<const Probe> start_of_host();
std::span<const Probe> names_of_host();
std::span<const Probe> callers_namespaces();
std::span<const Probe> machine_files();
std::span<const Probe> environments();
std::span<const Probe> places_outside();
std::span<const Probe> inherited_state();

std::span<const std::span<const Probe>> information_probes() {
  static const std::span<const Probe> kTechniques[] = {
      start_of_host(), names_of_host(),  callers_namespaces(), machine_files(),
      environments(),  places_outside(), inherited_state()};
  return kTechniques;
}

}  // namespace immure::probes
