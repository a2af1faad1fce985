#include "probes/probe.h"

namespace immure::probes {

// One a file of this folder; what /proc opens by whose it is.
std::span<const Probe> signals_outside();
std::span<const Probe> tracing();
std::span<const Probe> scheduling();
std::span<const Probe> proc_files_outside();
std::span<const Probe> proc_files_first();
std::span<const Probe> proc_files_any();
std::span<const Probe> entering();

std::span<const std::span<const Probe>> process_probes() {
  static const std::span<const Probe> kTechniques[] = {
      signals_outside(),  tracing(),        scheduling(), proc_files_outside(),
      proc_files_first(), proc_files_any(), entering(),
  };
  return kTechniques;
}

}  // namespace immure::probes
