#include "probes/probe.h"

namespace immure::probes {

// One a file of this folder.
std::span<const Probe> arguments();
std::span<const Probe> around_the_filter();
std::span<const Probe> entries();
std::span<const Probe> execution();
std::span<const Probe> new_namespaces();

std::span<const std::span<const Probe>> filter_probes() {
  static const std::span<const Probe> kTechniques[] = {around_the_filter(), entries(), new_namespaces(),
                                                       execution(), arguments()};
  return kTechniques;
}

}  // namespace immure::probes
