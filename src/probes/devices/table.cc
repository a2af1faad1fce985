#include "probes/probe.h"

namespace immure::probes {

// One a file of this folder; the planted nodes by what they are.
std::span<const Probe> planted_memory_nodes();
std::span<const Probe> planted_disk_nodes();
std::span<const Probe> planted_machine_nodes();
std::span<const Probe> planted_screen_nodes();
std::span<const Probe> made_nodes();
std::span<const Probe> visible_nodes();
std::span<const Probe> callers_terminal();

std::span<const std::span<const Probe>> device_probes() {
  static const std::span<const Probe> kTechniques[] = {
      planted_memory_nodes(), planted_disk_nodes(), planted_machine_nodes(), planted_screen_nodes(),
      made_nodes(),           visible_nodes(),      callers_terminal(),
  };
  return kTechniques;
}

}  // namespace immure::probes
