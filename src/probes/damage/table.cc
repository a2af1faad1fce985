#include "probes/probe.h"

namespace immure::probes {

// One a file of this folder.
std::span<const Probe> loaded_modules();
std::span<const Probe> started_kernels();
std::span<const Probe> sysrq_keys();
std::span<const Probe> written_memory();
std::span<const Probe> written_disks();
std::span<const Probe> kernel_helpers();
std::span<const Probe> changed_machine();
std::span<const Probe> known_holes();

std::span<const std::span<const Probe>> damage_probes() {
  static const std::span<const Probe> kTechniques[] = {loaded_modules(),  started_kernels(), sysrq_keys(),
                                                       written_memory(),  written_disks(),   kernel_helpers(),
                                                       changed_machine(), known_holes()};
  return kTechniques;
}

}  // namespace immure::probes
